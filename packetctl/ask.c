/* packetctl/ask.c -- one question over the control socket and its answer, with a bounded wait. Explains what
 * to do when nobody answers. Called by main.c. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "packetctl/packetctl.h"
#include "proto/dialog.h"

#define ANSWER_MS 5000

static int not_there(const struct command_line *line, const char *path, int error)
{
    const char *advice;

    switch (error) {
    case EACCES:
        advice = "You may not use that socket: run packetctl as the user that runs the supervisor.";
        break;
    case EAGAIN: advice = "It does not take connections: is it stopped, or very busy?"; break;
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

static int no_answer(const struct command_line *line, int got)
{
    if (got < 0 && line->command == COMMAND_STOP)
        return show_stopped(line); /* it had nothing to end */
    if (got < 0) {
        fprintf(stderr, "packetctl: the supervisor ended before it answered\n");
        return PACKETCTL_NOT_THERE;
    }
    fprintf(stderr,
            "packetctl: the supervisor took the question and gave no answer within %d s; is it stopped, or "
            "of another version?\n",
            ANSWER_MS / 1000);
    return PACKETCTL_FAILED;
}

static int converse(const struct command_line *line, int fd, enum msg_id question, const void *body,
                    enum msg_id wanted,
                    int (*with_answer)(const struct message *, const struct command_line *))
{
    static uint8_t buffer[DIALOG_FRAME_MAX];
    struct message answer;
    enum verdict verdict = FRAME_OK;

    if (dialog_send(fd, 0, SUPERVISOR_INCARNATION, question, body, 1) != 0) {
        fprintf(stderr, "packetctl: could not ask the supervisor: %s\n", strerror(errno));
        return PACKETCTL_FAILED;
    }
    int got = dialog_receive(fd, SUPERVISOR, CONTROL, buffer, sizeof buffer, &answer, &verdict);
    if (got <= 0)
        return no_answer(line, got);
    if (verdict == FRAME_OK && answer.spec->id == wanted)
        return with_answer(&answer, line);
    fprintf(stderr, "packetctl: the supervisor's answer cannot be read (%s); it is of another version\n",
            verdict_name(verdict));
    return PACKETCTL_FAILED;
}

int show_nothing(const struct message *answer, const struct command_line *line)
{
    (void)answer;
    (void)line;
    return PACKETCTL_OK;
}

int ask(const struct command_line *line, enum msg_id question, const void *body, enum msg_id wanted,
        int (*with_answer)(const struct message *, const struct command_line *))
{
    char path[PACKETCTL_PATH_MAX + sizeof ENDPOINT_CONTROL + 1];
    int fd = dialog_connect(line->dir, ANSWER_MS);

    snprintf(path, sizeof path, "%s/" ENDPOINT_CONTROL, line->dir);
    if (fd < 0)
        return not_there(line, path, errno);
    int code = converse(line, fd, question, body, wanted, with_answer);
    close(fd);
    return code;
}
