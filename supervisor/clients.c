/* supervisor/clients.c -- the clients of the control socket: a table of few, each with what the kernel says
 * of it. Many, silent or hostile ones never hold up supervision: the table is bounded, nothing here waits, a
 * turn of the loop takes few packets, and who has been silent for longest makes room for who comes. Called by
 * the loop; hands questions to control.c. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "proto/dialog.h"
#include "supervisor/supervisor.h"

#define ACCEPTS_PER_TURN 8 /* fewer than CLIENTS_MAX: who has just come is heard before it must go */
#define BACKLOG          64
#define QUESTION_MAX     4096u /* bytes: a name and a reason, with room */

static int on_client(zloop_t *loop, zmq_pollitem_t *item, void *arg);

static void client_close(struct supervisor *s, struct client *client)
{
    zmq_pollitem_t item = {.fd = client->fd};

    zloop_poller_end(s->loop, &item);
    close(client->fd);
    *client = (struct client){.fd = -1};
    if (s->spare < 0)
        s->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* A free place, or that of whom we have not heard from for longest. */
static struct client *place_for_one(struct supervisor *s)
{
    struct client *oldest = &s->clients[0];

    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (s->clients[i].fd < 0)
            return &s->clients[i];
        if (s->clients[i].heard_ms < oldest->heard_ms)
            oldest = &s->clients[i];
    }
    log_debug("a silent client makes room for another", F_INT("clientPid", oldest->pid));
    client_close(s, oldest);
    return oldest;
}

/* Our own children have no business here (design 12.5). */
static bool is_child(const struct supervisor *s, pid_t pid)
{
    struct tree_row row;

    if (!reap_row_of_pid(s, pid, &row))
        return false;
    log_error("a child spoke to the control socket; refused", F_STR("role", role_name(row.role)),
              F_INT("pid", row.pid));
    return true;
}

static void take_in(struct supervisor *s, struct client client)
{
    zmq_pollitem_t item = {.fd = client.fd, .events = ZMQ_POLLIN};

    if (is_child(s, client.pid)) {
        close(client.fd);
        return;
    }
    struct client *place = place_for_one(s);
    client.heard_ms = clock_now().boot_ms;
    *place = client;
    zloop_poller(s->loop, &item, on_client, s);
}

/* Without a descriptor nobody can be let in, and the listener would wake us for ever: the spare one serves,
 * and if a client has it already, that one goes. Returns whether it is worth another try. */
static bool make_descriptor(struct supervisor *s)
{
    if (errno != EMFILE && errno != ENFILE)
        return false;
    for (size_t i = 0; s->spare < 0 && i < CLIENTS_MAX; i++)
        if (s->clients[i].fd >= 0)
            client_close(s, &s->clients[i]);
    if (s->spare < 0)
        return false;
    close(s->spare);
    s->spare = -1;
    return true;
}

static int on_listener(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct supervisor *s = arg;

    (void)loop;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct client client = {0};

        client.fd = dialog_accept(item->fd, &client.pid, &client.uid);
        if (client.fd < 0 && i == 0 && make_descriptor(s)) /* later ones fail so without anybody there */
            client.fd = dialog_accept(item->fd, &client.pid, &client.uid);
        if (client.fd < 0)
            break;
        take_in(s, client);
    }
    return loop_end_turn(s);
}

static struct client *client_of(struct supervisor *s, int fd)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (s->clients[i].fd == fd)
            return &s->clients[i];
    return NULL;
}

/* One packet; the next one has its turn when all others have had theirs. */
static int on_client(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct supervisor *s = arg;
    struct client *client = client_of(s, item->fd);
    uint8_t buffer[QUESTION_MAX];
    struct message message;
    enum verdict verdict = FRAME_OK;

    (void)loop;
    if (!client)
        return 0;
    int got = dialog_receive(client->fd, CONTROL, SUPERVISOR, buffer, sizeof buffer, &message, &verdict);
    if (got > 0 && verdict == FRAME_OK && message.envelope.from == 0) {
        client->heard_ms = clock_now().boot_ms;
        client->correlation = message.envelope.correlation;
        client->question = 0;
        control_take(s, client, &message);
    } else if (got != 0) {
        if (got > 0)
            log_debug("refused a client's frame", F_INT("clientPid", client->pid),
                      F_INT("clientUid", client->uid), F_STR("verdict", verdict_name(verdict)));
        client_close(s, client);
    }
    return loop_end_turn(s);
}

struct client *clients_waiting(struct supervisor *s, uint64_t question)
{
    for (size_t i = 0; question != 0 && i < CLIENTS_MAX; i++)
        if (s->clients[i].fd >= 0 && s->clients[i].question == question)
            return &s->clients[i];
    return NULL;
}

void clients_answer(struct client *to, enum msg_id id, const void *body)
{
    if (dialog_send(to->fd, SUPERVISOR_INCARNATION, 0, id, body, to->correlation) != 0)
        log_debug("a client did not take its answer", F_INT("clientPid", to->pid),
                  F_STR("error", strerror(errno)));
}

int clients_listen(struct supervisor *s)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        s->clients[i].fd = -1;
    s->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    s->control = dialog_listen(s->dir.path, BACKLOG);
    if (s->control >= 0)
        return 0;
    log_error("cannot open the control socket", F_STR("dir", s->dir.path), F_STR("error", strerror(errno)),
              F_STR("advice", exit_sentence(EXIT_SOCKET)));
    return EXIT_SOCKET;
}

void clients_begin(struct supervisor *s)
{
    zmq_pollitem_t item = {.fd = s->control, .events = ZMQ_POLLIN};

    zloop_poller(s->loop, &item, on_listener, s);
}

void clients_end(struct supervisor *s)
{
    for (size_t i = 0; i < CLIENTS_MAX && s->control >= 0; i++)
        if (s->clients[i].fd >= 0)
            close(s->clients[i].fd);
    if (s->control >= 0) {
        close(s->control);
        close(s->spare);
    }
}
