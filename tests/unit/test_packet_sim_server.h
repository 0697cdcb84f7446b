/* tests/unit/test_packet_sim_server.h -- the real simulator as a child process, and a client made of plain
 * sockets that sees every byte. Owns the fixture of the test_packet_sim_server*.c programs; each includes it
 * once. Never waits for a time to pass: what must not arrive is shown by a later answer that does. */
#ifndef TESTS_UNIT_TEST_PACKET_SIM_SERVER_H
#define TESTS_UNIT_TEST_PACKET_SIM_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#define ENOUGH_MS 60000 /* a test that waits longer hangs */
#define PROJECT   "6e5c1a52-8b0f-4d2a-9a53-0c8d1f9a7b10"
#define KEYS      "/metal/v1/projects/" PROJECT "/ssh-keys"
#define TOKEN     "secret-user-token"
#define ED25519                                                                                              \
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFYeYZjdAIpMEKpo4xHwHd+pPidFMjRYPbfUT0kvZf/t node@example.invalid"
#define CREATE "{\"label\":\"a\",\"key\":\"" ED25519 "\"}"

struct server {
    pid_t pid;
    int port, admin_port;
    char dir[64];
    char url[128], ca[96];
};

/* What came back on a connection. */
struct answer {
    int status;        /* 0: no complete head */
    size_t head, len;  /* bytes up to and with the empty line, and all */
    long promised;     /* Content-Length, -1 without one */
    bool ended, reset; /* how the connection was left by the server */
    char *bytes;       /* NUL behind them */
};

static inline int port_of(const char *url)
{
    const char *colon = strrchr(url, ':');
    return colon != NULL ? atoi(colon + 1) : 0;
}

static inline void read_ready(struct server *server, int fd)
{
    char line[1024] = "";
    size_t n = 0;
    while (n < sizeof line - 1 && read(fd, line + n, 1) == 1 && line[n] != '\n')
        n++;
    close(fd);
    json_t *ready = json_loads(line, 0, NULL);
    if (ready == NULL)
        fail_msg("no ready line but: %s", line);
    snprintf(server->url, sizeof server->url, "%s", json_string_value(json_object_get(ready, "url")));
    snprintf(server->ca, sizeof server->ca, "%s", json_string_value(json_object_get(ready, "caFile")));
    server->port = port_of(server->url);
    server->admin_port = port_of(json_string_value(json_object_get(ready, "adminURL")));
    json_decref(ready);
}

/* The simulator lies beside this program. extra: further flags, NULL at the end. */
static inline void start(struct server *server, const char *const *extra)
{
    char self[512], program[600];
    const char *argv[16] = {program, "--die-with-parent", "--project=" PROJECT, "--token=" TOKEN};
    int pipes[2];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    snprintf(program, sizeof program, "%s/sim-packet-api", self);
    for (int i = 4; extra != NULL && *extra != NULL && i < 15;)
        argv[i++] = *extra++;
    assert_int_equal(pipe(pipes), 0);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        execv(program, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(pipes[1]);
    read_ready(server, pipes[0]);
}

/* Ends it in order: a crash or a leak that a sanitizer found shows in the status. */
static inline void stop(struct server *server)
{
    int status = 0;
    kill(server->pid, SIGTERM);
    assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static inline int try_connect(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static inline int open_connection(int port)
{
    int fd = try_connect(port);
    assert_true(fd >= 0);
    return fd;
}

static inline void send_bytes(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* closed early, which the answer will show */
        bytes += n;
        len -= (size_t)n;
    }
}

static inline void send_request(int fd, const char *method, const char *path, const char *body)
{
    char head[1024];
    int n = snprintf(head, sizeof head,
                     "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Auth-Token: " TOKEN "\r\nUser-Agent: test/1\r\n",
                     method, path);
    if (body != NULL)
        n += snprintf(head + n, sizeof head - (size_t)n,
                      "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
    n += snprintf(head + n, sizeof head - (size_t)n, "\r\n");
    send_bytes(fd, head, (size_t)n);
    if (body != NULL)
        send_bytes(fd, body, strlen(body));
}

static inline void read_head(struct answer *answer)
{
    char *end = strstr(answer->bytes, "\r\n\r\n");
    if (answer->status != 0 || end == NULL)
        return;
    answer->head = (size_t)(end + 4 - answer->bytes);
    answer->status = atoi(answer->bytes + strlen("HTTP/1.1 "));
    const char *length = strcasestr(answer->bytes, "\r\nContent-Length: ");
    answer->promised = length != NULL && length < end ? atol(length + 18) : -1;
}

/* Reads what arrives until `enough` bytes behind the head (PROMISED: its Content-Length) or the end of the
 * connection; call it again to read on. */
#define PROMISED SIZE_MAX
#define TO_END   (SIZE_MAX - 1)
static inline void read_answer(int fd, struct answer *answer, size_t enough)
{
    char part[65536];
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    if (answer->bytes == NULL)
        answer->bytes = calloc(1, 1);
    for (;;) {
        size_t wanted = enough == PROMISED ? (answer->promised > 0 ? (size_t)answer->promised : 0) : enough;
        if (answer->status != 0 && answer->len - answer->head >= wanted)
            return;
        if (poll(&poll_fd, 1, ENOUGH_MS) != 1)
            fail_msg("nothing more after %zu bytes", answer->len);
        ssize_t n = recv(fd, part, sizeof part, 0);
        answer->ended = n == 0;
        answer->reset = n < 0 && errno == ECONNRESET;
        if (n <= 0)
            return;
        answer->bytes = realloc(answer->bytes, answer->len + (size_t)n + 1);
        memcpy(answer->bytes + answer->len, part, (size_t)n);
        answer->len += (size_t)n;
        answer->bytes[answer->len] = '\0';
        read_head(answer);
    }
}

static inline void forget(struct answer *answer)
{
    free(answer->bytes);
    memset(answer, 0, sizeof *answer);
}

static inline bool silent(int fd) /* at this moment */
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 0;
}

/* One request on a connection of its own; its status. The body is parsed into *json unless that is NULL. */
static inline int ask(int port, const char *method, const char *path, const char *body, json_t **json)
{
    struct answer answer = {0};
    int fd = open_connection(port);
    send_request(fd, method, path, body);
    read_answer(fd, &answer, PROMISED);
    int status = answer.status;
    if (json != NULL)
        *json = json_loads(answer.bytes + answer.head, 0, NULL);
    forget(&answer);
    close(fd);
    return status;
}

static inline void fault(const struct server *server, const char *method, const char *fault_members)
{
    char rule[512];
    snprintf(rule, sizeof rule, "{\"match\":{\"method\":\"%s\"},\"fault\":{%s}}", method, fault_members);
    assert_int_equal(ask(server->admin_port, "POST", "/_sim/faults", rule, NULL), 201);
}

static inline void config(const struct server *server, const char *switches)
{
    assert_int_equal(ask(server->admin_port, "POST", "/_sim/config", switches, NULL), 200);
}

/* Keys that exist, by the administrative path. */
static inline size_t keys(const struct server *server)
{
    json_t *state = NULL;
    assert_int_equal(ask(server->admin_port, "GET", "/_sim/state", NULL, &state), 200);
    size_t n = json_array_size(json_object_get(state, "keys"));
    json_decref(state);
    return n;
}

static inline int setup(void **state)
{
    struct server *server = calloc(1, sizeof *server);
    snprintf(server->dir, sizeof server->dir, "/tmp/sim-server-XXXXXX");
    assert_non_null(mkdtemp(server->dir));
    start(server, NULL);
    *state = server;
    return 0;
}

static inline int teardown(void **state)
{
    struct server *server = *state;
    static const char *const files[] = {"ca.crt", "ledger"};
    char path[96];
    stop(server);
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", server->dir, files[i]);
        unlink(path);
    }
    rmdir(server->dir);
    free(server);
    return 0;
}

#endif
