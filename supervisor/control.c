/* supervisor/control.c -- the control socket: who may ask, what packetctl wants to know, and the answers;
 * what it wants to be done is in orders.c. Access comes from the mode of the socket and its directory; our
 * own children have no business here. Never waits for a client: an answer that does not fit into its queue is
 * dropped. Called by the loop. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/supervisor.h"

#define REQUESTS_PER_TURN 8 /* then back to the poll, so that clients never hold up supervision */

int control_listen(struct supervisor *s)
{
    if (bus_listen(&s->control, s->dir.path, ENDPOINT_CONTROL, SUPERVISOR, SUPERVISOR_INCARNATION, CONTROL) ==
        0)
        return 0;
    log_error("cannot open the control socket", F_STR("dir", s->dir.path), F_STR("error", strerror(errno)),
              F_STR("advice", exit_sentence(EXIT_SOCKET)));
    return EXIT_SOCKET;
}

void control_answer(struct supervisor *s, struct inbound *to, enum msg_id id, const void *body)
{
    if (bus_answer(&s->control, to, id, body) != 0)
        log_debug("a client did not take its answer", F_INT("pid", to->from.pid),
                  F_STR("error", strerror(errno)));
}

static void on_ask_status(struct supervisor *s, struct inbound *in)
{
    struct status_answer status;

    status_make(s, &status);
    control_answer(s, in, MSG_STATUS, &status.body);
    status_free(&status);
}

static void on_ask_quarantine(struct supervisor *s, struct inbound *in)
{
    struct pack objects;

    pack_open(&objects);
    status_pack_suspects(s, &objects);
    control_answer(s, in, MSG_QUARANTINE, &(struct msg_quarantine){.objects = pack_result(&objects)});
    pack_close(&objects);
}

static void on_request(struct supervisor *s, struct inbound *in)
{
    struct tree_row row;

    if (reap_row_of_pid(s, (int64_t)in->from.pid, &row)) {
        log_error("a child spoke to the control socket; refused", F_STR("role", role_name(row.role)),
                  F_INT("pid", row.pid));
        return;
    }
    if (in->message.spec->id == MSG_ASK_STATUS)
        on_ask_status(s, in);
    else if (in->message.spec->id == MSG_ASK_QUARANTINE)
        on_ask_quarantine(s, in);
    else
        orders_take(s, in);
}

int control_on_frame(zloop_t *loop, zsock_t *sock, void *arg)
{
    struct supervisor *s = arg;
    struct inbound in;
    enum verdict verdict;

    (void)loop;
    (void)sock;
    for (int i = 0; i < REQUESTS_PER_TURN && bus_receive(&s->control, &in, &verdict); i++) {
        if (verdict == FRAME_OK)
            on_request(s, &in);
        else
            log_debug("refused a client's frame", F_INT("pid", in.from.pid),
                      F_STR("verdict", verdict_name(verdict)));
        inbound_close(&in);
    }
    return loop_end_turn(s);
}
