/* tests/unit/test_packet_sim_server_modes.c -- the real simulator as others use it: TLS, prefixes, redirects,
 * after the end of the service, the ledger (S-1, S-22, S-32, S-35, S-36), the command line. Owns nothing
 * beyond the fixture and its libcurl handles. */
#include "tests/unit/test_packet_sim_server.h"

#include <curl/curl.h>

struct text {
    char bytes[16384];
    size_t len;
};

static size_t collect(char *data, size_t size, size_t n, void *arg)
{
    struct text *text = arg;
    size_t room = sizeof text->bytes - 1 - text->len, take = n * size < room ? n * size : room;
    memcpy(text->bytes + text->len, data, take);
    text->len += take;
    text->bytes[text->len] = '\0';
    return n * size;
}

/* GET url with the token. ca: the certificates that are trusted; NULL: those of the machine. */
static CURLcode get(const char *url, const char *ca, bool follow, long *status, struct text *body)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "X-Auth-Token: " TOKEN);
    body->len = 0;
    body->bytes[0] = '\0';
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, (long)follow);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ENOUGH_MS);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (ca != NULL)
        curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return code;
}

static void restart(struct server *server, const char *flag, const char *other)
{
    const char *const extra[] = {flag, other, NULL};
    stop(server);
    start(server, extra);
}

static void restart_with_tls(struct server *server, const char *prefix)
{
    char flag[96];
    snprintf(flag, sizeof flag, "--tls-self-signed=%s", server->dir);
    restart(server, flag, prefix);
}

static void check_prefix(struct server *server, const char *prefix)
{
    char flag[64], url[256], href[128];
    struct text body;
    long status = 0;
    snprintf(flag, sizeof flag, "--prefix=%s", prefix);
    restart_with_tls(server, flag);
    assert_memory_equal(server->url, "https://", 8);
    assert_string_equal(server->url + strlen(server->url) - strlen(prefix), prefix);
    snprintf(url, sizeof url, "%s/projects", server->url);
    assert_int_equal(get(url, server->ca, false, &status, &body), CURLE_OK);
    assert_int_equal(status, 200);
    snprintf(href, sizeof href, "\"href\":\"%s/projects/%s\"", prefix, PROJECT);
    assert_non_null(strstr(body.bytes, href));
    assert_int_equal(get(url, NULL, false, &status, &body), CURLE_PEER_FAILED_VERIFICATION);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/other/prefix/projects", server->port);
    assert_int_equal(get(url, server->ca, false, &status, &body), CURLE_OK);
    assert_int_equal(status, 404);
}

static void test_S_01_prefix_over_tls(void **state)
{
    check_prefix(*state, "/metal/v1");
    check_prefix(*state, "");
    check_prefix(*state, "/a/b");
}

static void test_S_22_reset_over_tls(void **state)
{
    struct server *server = *state;
    char url[256];
    struct text body;
    long status = 0;
    restart_with_tls(server, "--seed=2");
    snprintf(url, sizeof url, "%s/projects", server->url);
    fault(server, "GET", "\"preset\":\"failed-reset\"");
    assert_int_equal(get(url, server->ca, false, &status, &body), CURLE_RECV_ERROR);
    assert_int_equal(status, 0);
    assert_int_equal(get(url, server->ca, false, &status, &body), CURLE_OK);
}

static size_t requests(const struct server *server, json_t **ledger)
{
    json_t *json = NULL;
    assert_int_equal(ask(server->admin_port, "GET", "/_sim/ledger", NULL, &json), 200);
    size_t n = json_array_size(json_object_get(json, "requests"));
    if (ledger != NULL)
        *ledger = json;
    else
        json_decref(json);
    return n;
}

/* The other host is a second simulator, whose ledger shows who came. A client that follows proves that the
 * ledger would show the token. */
static void test_S_32_redirect_to_another_host(void **state)
{
    struct server *server = *state, other = {0};
    static const int statuses[] = {301, 302, 307, 308};
    char members[256], url[256];
    struct text body;
    long status = 0;
    start(&other, NULL);
    snprintf(url, sizeof url, "%s/projects", server->url);
    for (size_t i = 0; i <= 4; i++) {
        snprintf(members, sizeof members, "\"redirect\":\"http://127.0.0.1:%d/metal/v1/user\",\"status\":%d",
                 other.port, statuses[i % 4]);
        fault(server, "GET", members);
        assert_int_equal(get(url, NULL, i == 4, &status, &body), CURLE_OK);
        assert_int_equal(status, i == 4 ? 200 : statuses[i]);
        assert_int_equal(requests(&other, NULL), i == 4);
    }
    json_t *ledger = NULL;
    requests(&other, &ledger);
    json_t *line = json_array_get(json_object_get(ledger, "requests"), 0);
    assert_string_not_equal(json_string_value(json_object_get(line, "token")), "");
    json_decref(ledger);
    stop(&other);
}

static void test_S_35_after_the_end_of_the_service(void **state)
{
    struct server *server = *state;
    struct answer answer = {0};
    int kept = open_connection(server->port);
    send_request(kept, "GET", KEYS, NULL);
    read_answer(kept, &answer, PROMISED);
    assert_int_equal(answer.status, 200);
    forget(&answer);
    for (int round = 0; round < 2; round++) {
        config(server, "{\"sunset\":\"refused\"}");
        assert_int_equal(try_connect(server->port), -1);
        assert_int_equal(errno, ECONNREFUSED);
        config(server, "{\"sunset\":\"gone-410\"}");
        assert_int_equal(ask(server->port, "GET", KEYS, NULL, NULL), 410);
    }
    send_request(kept, "GET", KEYS, NULL);
    read_answer(kept, &answer, PROMISED);
    assert_int_equal(answer.status, 410);
    assert_non_null(strstr(answer.bytes, "\r\nContent-Type: text/html\r\n"));
    assert_null(strstr(answer.bytes, "X-Request-Id"));
    forget(&answer);
    config(server, "{\"sunset\":\"refused\"}");
    send_request(kept, "GET", KEYS, NULL);
    read_answer(kept, &answer, TO_END);
    assert_int_equal(answer.len, 0);
    close(kept);
    forget(&answer);
    config(server, "{\"sunset\":\"off\"}");
    assert_int_equal(ask(server->port, "GET", KEYS, NULL, NULL), 200);
}

static size_t lines_of(const char *path, char *last, size_t size)
{
    FILE *file = fopen(path, "r");
    size_t n = 0;
    assert_non_null(file);
    while (fgets(last, (int)size, file) != NULL) {
        json_t *line = json_loads(last, 0, NULL);
        assert_non_null(line);
        json_decref(line);
        assert_null(strstr(last, TOKEN));
        n++;
    }
    fclose(file);
    return n;
}

static const char *text_at(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value != NULL ? value : "";
}

static void test_S_36_ledger_over_the_administrative_path(void **state)
{
    struct server *server = *state;
    char flag[128], path[96], last[4096];
    json_t *ledger = NULL;
    snprintf(path, sizeof path, "%s/ledger", server->dir);
    snprintf(flag, sizeof flag, "--ledger=%s", path);
    restart(server, flag, "--seed=3");
    assert_int_equal(ask(server->port, "POST", KEYS "?include=", CREATE, NULL), 201);
    assert_int_equal(ask(server->port, "GET", "/_sim/state", NULL, NULL), 200); /* at the API's port too */
    assert_int_equal(ask(server->admin_port, "GET", KEYS, NULL, NULL), 404);    /* but not the other way */
    assert_int_equal(ask(server->port, "GET", "/metal/v1/_sim/state", NULL, NULL), 404);
    assert_int_equal(requests(server, &ledger), 2);
    json_t *line = json_array_get(json_object_get(ledger, "requests"), 0);
    assert_string_equal(text_at(line, "method"), "POST");
    assert_string_equal(text_at(line, "path"), KEYS);
    assert_string_equal(text_at(line, "query"), "include=");
    assert_string_equal(text_at(json_object_get(line, "body"), "key"), ED25519);
    assert_string_equal(text_at(json_object_get(line, "headers"), "user-agent"), "test/1");
    assert_string_equal(text_at(json_object_get(line, "headers"), "host"), "127.0.0.1");
    assert_string_equal(text_at(json_object_get(line, "headers"), "x-auth-token"), text_at(line, "token"));
    assert_int_equal(strlen(text_at(line, "token")), 12);
    assert_true(json_integer_value(json_object_get(line, "receivedMs")) > INT64_C(1500000000000));
    json_decref(ledger);
    assert_int_equal(lines_of(path, last, sizeof last), 2);
}

/* The answers of the real bucket over the wire, and that nobody else pays for them. */
static void test_S_26_bucket_over_the_wire(void **state)
{
    struct server *server = *state;
    struct answer answer = {0};
    json_t *counters = NULL;
    config(server, "{\"rate\":1,\"rateBurst\":1,\"rateHeaders\":true}");
    int fd = open_connection(server->port), denied = 0;
    for (int i = 0; i < 20 && denied == 0; i++) {
        forget(&answer);
        send_request(fd, "GET", KEYS, NULL);
        read_answer(fd, &answer, PROMISED);
        denied += answer.status == 429;
    }
    assert_int_equal(denied, 1);
    assert_non_null(strstr(answer.bytes, "\r\nRetry-After: 1\r\n"));
    assert_non_null(strstr(answer.bytes, "\r\nX-RateLimit-Limit: 1\r\n"));
    assert_non_null(strstr(answer.bytes, "\r\nX-RateLimit-Remaining: 0\r\n"));
    assert_non_null(strstr(answer.bytes, "\r\nX-RateLimit-Reset: "));
    assert_int_equal(ask(server->admin_port, "GET", "/_sim/counters", NULL, &counters), 200);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(counters, "violations"), "rate")), 1);
    json_decref(counters);
    close(fd);
    forget(&answer);
}

/* Exit status of the simulator with one flag that ends it at once. */
static int run_with(const char *flag)
{
    char self[512], command[700];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    snprintf(command, sizeof command, "timeout 60 '%s/sim-packet-api' %s >/dev/null 2>&1", self, flag);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_command_line(void **state)
{
    static const char *const wrong[] = {"--port=65536",
                                        "--port=x",
                                        "--unknown",
                                        "argument",
                                        "--prefix=/ends/with/",
                                        "--prefix=/_sim",
                                        "--prefix=starts-without",
                                        "--tls-cert=/etc/hostname",
                                        "--project=not-a-uuid",
                                        "--token=t:project",
                                        "--token=t:king",
                                        "--config='{\"none\":1}'",
                                        "--fault='{}'",
                                        "--latency=HEAD=1",
                                        "--rate=1/m"};
    (void)state;
    assert_int_equal(run_with("--help"), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(run_with(wrong[i]), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_S_01_prefix_over_tls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_22_reset_over_tls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_26_bucket_over_the_wire, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_32_redirect_to_another_host, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_35_after_the_end_of_the_service, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_36_ledger_over_the_administrative_path, setup, teardown),
        cmocka_unit_test(test_command_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
