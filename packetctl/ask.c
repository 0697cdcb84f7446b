/* packetctl/ask.c -- one question over the control socket and its answer, with a bounded wait. Explains what
 * to do when nobody answers. Called by main.c. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "packetctl/packetctl.h"
#include "proto/bus.h"

#define CONNECT_MS 2000
#define ANSWER_MS  5000

/* ZeroMQ would wait for a listener for ever; a plain connect() says at once what is wrong. */
static int probe(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), error = 0;

    if (strlen(path) >= sizeof address.sun_path)
        error = ENAMETOOLONG;
    else {
        memcpy(address.sun_path, path, strlen(path) + 1);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
            error = errno;
    }
    if (fd >= 0)
        close(fd);
    return error;
}

static int not_there(const struct command_line *line, const char *path, int error)
{
    const char *advice;

    switch (error) {
    case EACCES:
        advice = "You may not use that socket: run packetctl as the user that runs the supervisor.";
        break;
    case ECONNREFUSED: advice = "A supervisor was there and died without cleaning up; start it again."; break;
    default:
        advice =
            "Is the supervisor running? If its --runtime-dir is another one, give the same one here with "
            "--runtime-dir DIR.";
    }
    fprintf(stderr, "packetctl: no supervisor answers at %s (%s): %s\n%s\n", path, line->why_there,
            strerror(error), advice);
    return PACKETCTL_NOT_THERE;
}

/* The answer's frame, or false when time is over. Frames that are no answer are skipped. */
static bool wait_for(struct bus *bus, enum msg_id wanted, struct inbound *in)
{
    int64_t end = clock_now().boot_ms + ANSWER_MS;
    enum verdict verdict;

    for (int64_t left; (left = end - clock_now().boot_ms) > 0;) {
        zmq_pollitem_t item = {.socket = zsock_resolve(bus->sock), .events = ZMQ_POLLIN};

        if (zmq_poll(&item, 1, (long)left) <= 0)
            continue;
        while (bus_receive(bus, in, &verdict)) {
            if (verdict == FRAME_OK && in->message.spec->id == wanted)
                return true;
            if (verdict == FRAME_BAD_VERSION || verdict == FRAME_UNKNOWN_ID || verdict == FRAME_UNKNOWN_FIELD)
                fprintf(stderr, "packetctl: the supervisor is of another version\n");
            inbound_close(in);
        }
    }
    return false;
}

static int converse(const struct command_line *line, struct bus *bus, enum msg_id question, const void *body,
                    enum msg_id wanted,
                    int (*with_answer)(const struct message *, const struct command_line *))
{
    struct inbound in;

    if (bus_wait(bus, CONNECT_MS) != 0 || bus_send(bus, SUPERVISOR_INCARNATION, question, body, NULL) != 0) {
        fprintf(stderr, "packetctl: could not ask the supervisor: %s\n", strerror(errno));
        return PACKETCTL_FAILED;
    }
    if (!wait_for(bus, wanted, &in)) {
        fprintf(
            stderr,
            "packetctl: the supervisor took the question and gave no answer within %d s; is it stopped, or "
            "of another version?\n",
            ANSWER_MS / 1000);
        return PACKETCTL_FAILED;
    }
    int code = with_answer(&in.message, line);
    inbound_close(&in);
    return code;
}

int ask(const struct command_line *line, enum msg_id question, const void *body, enum msg_id wanted,
        int (*with_answer)(const struct message *, const struct command_line *))
{
    char path[PACKETCTL_PATH_MAX + sizeof ENDPOINT_CONTROL + 1];
    struct bus bus;

    snprintf(path, sizeof path, "%s/" ENDPOINT_CONTROL, line->dir);
    int error = probe(path);
    if (error != 0)
        return not_there(line, path, error);
    zsys_handler_set(NULL);
    zsys_set_logstream(NULL);
    if (bus_connect(&bus, line->dir, ENDPOINT_CONTROL, CONTROL, 0, SUPERVISOR) != 0)
        return not_there(line, path, errno);
    int code = converse(line, &bus, question, body, wanted, with_answer);
    bus_close(&bus);
    return code;
}
