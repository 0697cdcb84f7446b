/* tests/sim/packet-api/respond.c -- how an answer leaves: whole, in part, slowly, or not at all (S-22, S-27).
 * Owns nothing; the core has decided the fate. Called by exchange.c when an answer is due. */
#include <sys/socket.h>

#include "tests/sim/packet-api/server.h"

#define MISSING 64   /* bytes that a wrong Content-Length promises too much */
#define DRIP_MS 1000 /* between two bytes */

/* connect() to AF_UNSPEC is the one call that makes Linux send a reset at once, whatever is still to be read.
 */
void respond_reset(const struct exchange *exchange)
{
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    connect(exchange->connection->fd, &nowhere, sizeof nowhere);
}

static ssize_t wait_for_more(struct exchange *exchange, int64_t ms)
{
    if (ms > 0)
        timer_set(&exchange->server->timers, &exchange->timer, ms);
    exchange_suspend(exchange);
    return 0;
}

/* Gives what the fate allows, then stops in the way of the fate. */
static ssize_t read_spoilt(void *cls, uint64_t position, char *buf, size_t max)
{
    struct exchange *exchange = cls;
    const struct sim_answer *answer = &exchange->answer;
    size_t at = (size_t)position, n;
    if (exchange->server->stopping || answer->fate == SIM_RESET)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (at >= exchange->limit)
        return answer->fate == SIM_STALL ? wait_for_more(exchange, 0) : MHD_CONTENT_READER_END_WITH_ERROR;
    n = exchange->limit - at < max ? exchange->limit - at : max;
    if (answer->fate == SIM_DRIP) {
        exchange->waited = !exchange->waited;
        if (exchange->waited)
            return wait_for_more(exchange, DRIP_MS); /* the next call, a second later, gives the byte */
        n = 1;
    }
    memcpy(buf, answer->body + at, n);
    return (ssize_t)n;
}

static struct MHD_Response *make_response(struct exchange *exchange)
{
    struct sim_answer *answer = &exchange->answer;
    uint64_t promised = answer->body_len;
    exchange->limit = answer->body_len;
    switch (answer->fate) {
    case SIM_TRUNCATE:
        exchange->limit /= 2;
        promised += answer->body_len == 0 ? MISSING : 0;
        break;
    case SIM_STALL:
        exchange->limit = 0;
        promised += answer->body_len == 0 ? MISSING : 0;
        break;
    case SIM_BAD_LENGTH: promised += MISSING; break;
    case SIM_DRIP: break;
    default: return MHD_create_response_from_buffer(answer->body_len, answer->body, MHD_RESPMEM_MUST_COPY);
    }
    return MHD_create_response_from_callback(promised, 4096, read_spoilt, exchange, NULL);
}

enum MHD_Result respond(struct exchange *exchange)
{
    struct sim_answer *answer = &exchange->answer;
    if (answer->fate == SIM_RESET) {
        respond_reset(exchange);
        return MHD_NO;
    }
    if (answer->fate == SIM_HANG) {
        exchange_suspend(exchange);
        return MHD_YES;
    }
    struct MHD_Response *response = make_response(exchange);
    if (response == NULL)
        return MHD_NO;
    if (answer->content_type != NULL)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
    for (unsigned i = 0; i < answer->n_headers; i++)
        MHD_add_response_header(response, answer->headers[i].name, answer->headers[i].value);
    enum MHD_Result result = MHD_queue_response(exchange->mhd, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    return result;
}
