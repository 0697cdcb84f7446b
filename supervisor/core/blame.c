/* supervisor/core/blame.c -- whose fault a worker's death is, and what is held against objects, kept for
 * watchers that come and go (design 2, 12.7, 12.13). What follows from it for an object is the watcher's
 * business. Called by tree.c and epoch.c. */
#include "supervisor/core/tree_state.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"

#define READING_DEATHS 2u          /* watchers that end at an object before its body is not read any more */
#define CHANCE_S       (60u * 60u) /* further apart they have nothing to do with each other */
#define SILENT_MS      (BEAT_EVERY_MS + 1000) /* it has missed a beat */

static bool is_silent(const struct slot *slot, struct instant now)
{
    return slot->child.state != CHILD_READY || now.boot_ms - slot->child.beat_ms > SILENT_MS;
}

/* Who was told to leave, or was killed for another's sake, proves nothing. Nor does anybody while the watcher
 * or the gateway is silent: the whole machine may be at a standstill (design 12.7). */
bool blame_nobody(const struct tree *tree, const struct slot *dead, enum child_state was, struct instant now)
{
    if (dead->policy->role != WORKER || was == CHILD_SACRIFICED || was == CHILD_DRAINING)
        return true;
    return is_silent(tree->watcher, now) || is_silent(tree->gateway, now);
}

void blame_cause(const struct slot *dead, int status, char *buf, size_t size)
{
    const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;

    if (dead->why[0] != '\0')
        snprintf(buf, size, "it %s", dead->why);
    else if (WIFSIGNALED(status))
        snprintf(buf, size, "it was ended by SIG%s", name ? name : "?");
    else
        snprintf(buf, size, "it ended with code %d: %s", WEXITSTATUS(status),
                 exit_sentence(WEXITSTATUS(status)));
}

/* ---- suspects */

static struct tree_suspect *place_of(struct tree *tree, struct span key)
{
    struct tree_suspect *oldest = NULL;

    if (tree->suspects == NULL)
        tree->suspects = x_calloc(TREE_SUSPECTS_MAX, sizeof *tree->suspects);
    for (unsigned i = 0; i < TREE_SUSPECTS_MAX; i++)
        if (span_is(key, tree->suspects[i].key))
            return &tree->suspects[i];
    for (unsigned i = 0; i < TREE_SUSPECTS_MAX; i++) {
        struct tree_suspect *s = &tree->suspects[i];

        if (s->key[0] == '\0')
            return s;
        if (oldest == NULL || s->struck < oldest->struck)
            oldest = s;
    }
    return oldest; /* it has had its time; should it strike again, it comes back */
}

void blame_suspect(struct tree *tree, const struct msg_suspect *said)
{
    if (said->strikes == 0 && tree->suspects == NULL)
        return;
    struct tree_suspect *s = place_of(tree, said->key);

    if (said->strikes == 0) {
        if (span_is(said->key, s->key))
            *s = (struct tree_suspect){0};
        return;
    }
    *s = (struct tree_suspect){.deaths = s->deaths,
                               .unread = said->unread != 0,
                               .strikes = said->strikes,
                               .terms = said->terms,
                               .until = said->until,
                               .struck = said->struck,
                               .told = said->told != 0};
    span_copy(said->key, s->key, sizeof s->key);
    span_copy(said->version, s->version, sizeof s->version);
    span_copy(said->cause, s->cause, sizeof s->cause);
}

void blame_hand_over(struct tree *tree)
{
    const struct tree_suspect *s;

    for (unsigned i = 0; (s = tree_suspect(tree, i)) != NULL; i++)
        slot_send(tree, tree->watcher, MSG_SUSPECTED,
                  &(struct msg_suspected){.key = span_of(s->key),
                                          .version = span_of(s->version),
                                          .strikes = s->strikes,
                                          .terms = s->terms,
                                          .until = s->until,
                                          .told = s->told,
                                          .cause = span_of(s->cause),
                                          .struck = s->struck,
                                          .unread = s->unread});
}

/* One death may be chance: another process' greed, a machine that fails. */
void tree_blame_reading(struct tree *tree, const char *key, int status, struct instant now)
{
    uint64_t now_s = (uint64_t)(now.wall_ms / 1000);
    struct tree_suspect *s = place_of(tree, span_of(key));

    if (strcmp(s->key, key) != 0) {
        *s = (struct tree_suspect){0};
        snprintf(s->key, sizeof s->key, "%s", key);
    }
    s->deaths = s->deaths && now_s - s->struck < CHANCE_S ? s->deaths + 1 : 1;
    s->struck = now_s;
    s->strikes = s->strikes > s->deaths ? s->strikes : s->deaths;
    blame_cause(tree->watcher, status, s->cause, sizeof s->cause);
    if (s->deaths < READING_DEATHS)
        return;
    s->terms++;
    s->unread = true;
    s->until = (uint64_t)now.boot_ms + (uint64_t)quarantine_term_ms(s->terms);
}

const struct tree_suspect *tree_suspect(const struct tree *tree, unsigned index)
{
    for (unsigned i = 0; tree->suspects != NULL && i < TREE_SUSPECTS_MAX; i++)
        if (tree->suspects[i].key[0] != '\0' && index-- == 0)
            return &tree->suspects[i];
    return NULL;
}

unsigned tree_release(struct tree *tree, const char *key)
{
    unsigned n = 0;

    for (unsigned i = 0; tree->suspects != NULL && i < TREE_SUSPECTS_MAX; i++) {
        const struct tree_suspect *s = &tree->suspects[i];

        if (s->until == 0 || (key[0] != '\0' && strcmp(key, s->key) != 0))
            continue;
        n++;
        if (child_has_process(&tree->watcher->child))
            slot_send(tree, tree->watcher, MSG_RELEASE, &(struct msg_release){.key = span_of(s->key)});
    }
    return n;
}
