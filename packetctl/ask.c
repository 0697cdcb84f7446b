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
#define LOOK_MS    200 /* so often, while no answer comes: is the supervisor still there? */

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

enum wait_end { WAIT_ANSWERED, WAIT_SILENT, WAIT_GONE };

static bool take_answer(struct bus *bus, enum msg_id wanted, struct inbound *in)
{
    enum verdict verdict;

    while (bus_receive(bus, in, &verdict)) {
        if (verdict == FRAME_OK && in->message.spec->id == wanted)
            return true;
        if (verdict == FRAME_BAD_VERSION || verdict == FRAME_UNKNOWN_ID || verdict == FRAME_UNKNOWN_FIELD)
            fprintf(stderr, "packetctl: the supervisor is of another version\n");
        inbound_close(in);
    }
    return false;
}

/* The answer's frame; frames that are no answer are skipped. libzmq drops what was not read yet when the
 * other side closes, and a supervisor with nothing to do stops within milliseconds: then its end is the
 * answer. */
static enum wait_end wait_for(struct bus *bus, const char *path, enum msg_id wanted, struct inbound *in)
{
    int64_t end = clock_now().boot_ms + ANSWER_MS;

    for (int64_t left; (left = end - clock_now().boot_ms) > 0;) {
        zmq_pollitem_t item = {.socket = zsock_resolve(bus->sock), .events = ZMQ_POLLIN};
        bool idle = zmq_poll(&item, 1, (long)(left < LOOK_MS ? left : LOOK_MS)) <= 0;
        bool gone = idle && probe(path) != 0;

        if (take_answer(bus, wanted, in))
            return WAIT_ANSWERED;
        if (gone)
            return WAIT_GONE;
    }
    return WAIT_SILENT;
}

static int no_answer(const struct command_line *line, enum wait_end how)
{
    if (how == WAIT_GONE && line->command == COMMAND_STOP)
        return show_stopped(line);
    if (how == WAIT_GONE) {
        fprintf(stderr, "packetctl: the supervisor ended before it answered\n");
        return PACKETCTL_NOT_THERE;
    }
    fprintf(stderr,
            "packetctl: the supervisor took the question and gave no answer within %d s; is it stopped, or "
            "of another version?\n",
            ANSWER_MS / 1000);
    return PACKETCTL_FAILED;
}

static int converse(const struct command_line *line, struct bus *bus, const char *path, enum msg_id question,
                    const void *body, enum msg_id wanted,
                    int (*with_answer)(const struct message *, const struct command_line *))
{
    struct inbound in;

    if (bus_wait(bus, CONNECT_MS) != 0 || bus_send(bus, SUPERVISOR_INCARNATION, question, body, NULL) != 0) {
        fprintf(stderr, "packetctl: could not ask the supervisor: %s\n", strerror(errno));
        return PACKETCTL_FAILED;
    }
    enum wait_end how = wait_for(bus, path, wanted, &in);
    if (how != WAIT_ANSWERED)
        return no_answer(line, how);
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
    int code = converse(line, &bus, path, question, body, wanted, with_answer);
    bus_close(&bus);
    return code;
}
