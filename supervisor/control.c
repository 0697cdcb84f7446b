/* supervisor/control.c -- the control socket: what packetctl asks, and the answers. Access comes from the
 * mode of the socket and its directory; our own children have no business here. Never waits for a client: an
 * answer that does not fit into its queue is dropped. Called by the loop. */
#include <errno.h>
#include <string.h>

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

static void answer(struct supervisor *s, struct inbound *to, enum msg_id id, const void *body)
{
    if (bus_answer(&s->control, to, id, body) != 0)
        log_debug("a client did not take its answer", F_INT("pid", to->from.pid),
                  F_STR("error", strerror(errno)));
}

static void on_ask_status(struct supervisor *s, struct inbound *in)
{
    struct status_answer status;

    status_make(s, &status);
    answer(s, in, MSG_STATUS, &status.body);
    status_free(&status);
}

static void on_ask_stop(struct supervisor *s, struct inbound *in)
{
    char reason[LIMIT_TEXT + 1] = "";

    span_copy(in->message.body.ask_stop.reason, reason, sizeof reason);
    log_info("asked to stop through the control socket", F_INT("clientPid", in->from.pid),
             F_STR("reason", reason));
    answer(s, in, MSG_STOPPING, &(struct msg_stopping){.within_ms = STOP_ALL_MS});
    if (s->stop_requests == 0)
        loop_stop(s, "packetctl");
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
    else if (in->message.spec->id == MSG_ASK_STOP)
        on_ask_stop(s, in);
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
