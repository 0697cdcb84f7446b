/* worker/core/patch.c -- the bodies of all merge patches (gardener 2.1, 2.5 to 2.8). lastOperation is always
 * complete (gardener 4); what a merge would leave behind of an older lastError is set to null. Nothing is
 * sent here; the watcher adds the resource version. Called by write.c. */
#include <string.h>

#include "worker/core/job.h"

/* The finalizers as last seen, with or without ours; others keep their place (gardener 18). */
static void pack_finalizers(struct pack *p, const struct job *job, bool with)
{
    struct value list = {.at = job->view.finalizers, .len = job->view.finalizers_len};
    uint32_t count = value_count(list) - job->view.has_finalizer + with;

    pack_text(p, "finalizers");
    if (count == 0) {
        pack_nil(p);
        return;
    }
    pack_array(p, count);
    for (struct value_iter it = value_each(list); value_next(&it);)
        if (!value_is_text(it.item, FINALIZER))
            pack_value(p, it.item);
    if (with)
        pack_text(p, FINALIZER);
}

void patch_meta(struct pack *p, const struct job *job, unsigned meta)
{
    bool finalizers = (meta & (META_ADD_FINALIZER | META_DROP_FINALIZER)) != 0;
    bool annotation = (meta & (META_DROP_RECONCILE | META_DROP_OPERATION)) != 0;

    pack_map(p, 1);
    pack_text(p, "metadata");
    pack_map(p, (uint32_t)finalizers + annotation);
    if (finalizers)
        pack_finalizers(p, job, (meta & META_ADD_FINALIZER) != 0);
    if (annotation) {
        pack_text(p, "annotations");
        pack_map(p, 1);
        pack_text(p, ANNOTATION_OPERATION);
        pack_nil(p);
    }
}

static void pack_operation(struct pack *p, const struct job *job, const char *state, int progress,
                           const char *description, const char *when)
{
    pack_text(p, "lastOperation");
    pack_map(p, 5);
    pack_member(p, "type", operation_name(job->operation));
    pack_member(p, "state", state);
    pack_text(p, "progress");
    pack_int(p, progress);
    pack_member(p, "description", description);
    pack_member(p, "lastUpdateTime", when);
}

static void pack_state_member(struct pack *p, const struct job *job)
{
    pack_text(p, "state");
    state_pack(&job->state, p);
}

static void pack_provider_status(struct pack *p, const struct job *job)
{
    pack_text(p, "providerStatus");
    pack_map(p, 3);
    pack_member(p, "apiVersion", "packet.provider.extensions.gardener.cloud/v1alpha1");
    pack_member(p, "kind", "InfrastructureStatus");
    pack_member(p, "sshKeyID", job->current);
}

static void open_status(struct pack *p, uint32_t members)
{
    pack_map(p, 1);
    pack_text(p, "status");
    pack_map(p, members);
}

void patch_processing(struct pack *p, const struct job *job, int64_t wall_ms)
{
    char when[CLOCK_TEXT_MAX];

    clock_text_seconds(wall_ms, when);
    open_status(p, 1u + job->state.dirty);
    pack_operation(p, job, "Processing", 1, job->flow->processing, when);
    if (job->state.dirty)
        pack_state_member(p, job);
}

void patch_state(struct pack *p, const struct job *job)
{
    open_status(p, 1u + job->fresh_id);
    pack_state_member(p, job);
    if (job->fresh_id)
        pack_provider_status(p, job);
}

struct failure_words patch_words(const struct job *job)
{
    return (struct failure_words){.secret = job->secret_name,
                                  .project = job->project,
                                  .recorded = job->recorded_project,
                                  .deleting = job->operation == OPERATION_DELETE};
}

/* "<phrase>: <cause>", the same text in both places (gardener 2.9). */
static void describe(const struct job *job, char *text, size_t size)
{
    const char *phrase = cause_is_config(job->failure.cause) ? job->flow->config_error : job->flow->error;
    struct failure_words words = patch_words(job);
    size_t len = strlen(phrase);

    memcpy(text, phrase, len);
    memcpy(text + len, ": ", 2);
    failure_text(&job->failure, &words, text + len + 2, size - len - 2);
}

void patch_error(struct pack *p, const struct job *job, int64_t wall_ms)
{
    char when[CLOCK_TEXT_MAX], text[FAILURE_TEXT_MAX + 100];
    const char *code = cause_code(job->failure.cause);

    clock_text_seconds(wall_ms, when);
    describe(job, text, sizeof text);
    open_status(p, 3u + job->state.dirty + job->fresh_id);
    pack_operation(p, job, "Error", 50, text, when);
    pack_text(p, "lastError");
    pack_map(p, 3);
    pack_member(p, "description", text);
    pack_member(p, "lastUpdateTime", when);
    pack_text(p, "codes");
    if (code == NULL) {
        pack_nil(p);
    } else {
        pack_array(p, 1);
        pack_text(p, code);
    }
    pack_text(p, "observedGeneration");
    pack_int(p, job->generation);
    if (job->state.dirty)
        pack_state_member(p, job);
    if (job->fresh_id)
        pack_provider_status(p, job);
}

/* Not before the timestamp that gardenlet wrote, even when our clock lags a little (gardener 27). */
static int64_t success_ms(const struct job *job, int64_t wall_ms)
{
    int64_t asked_ms = job->view.timestamp_s * 1000;

    return asked_ms > wall_ms && asked_ms <= wall_ms + TIMESTAMP_AHEAD_S * 1000 ? asked_ms : wall_ms;
}

void patch_succeeded(struct pack *p, const struct job *job, int64_t wall_ms)
{
    char when[CLOCK_TEXT_MAX];

    clock_text_seconds(success_ms(job, wall_ms), when);
    open_status(p, 3u + job->state.dirty + job->fresh_id);
    pack_operation(p, job, "Succeeded", 100, job->flow->success, when);
    pack_text(p, "lastError");
    pack_nil(p);
    pack_text(p, "observedGeneration");
    pack_int(p, job->generation);
    if (job->fresh_id)
        pack_provider_status(p, job);
    if (job->state.dirty)
        pack_state_member(p, job);
}
