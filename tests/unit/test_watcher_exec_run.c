/* tests/unit/test_watcher_exec_run.c -- how an exec plugin is run, with small scripts: what it gets, what it
 * may not do, and how each bad end is told (kubernetes 1.6, 10). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/test_watcher_exec_rig.h"

#define GIVE(token) "echo '" ANSWER "\"token\":\"" token "\"}}'"

/* Is there such a process, and is it more than a zombie? */
static bool lives(pid_t pid)
{
    char path[64], state = 'Z';

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 'Z';
    if (file)
        fclose(file);
    return state != 'Z';
}

static void wait_gone(pid_t pid)
{
    for (int i = 0; i < 2000 && lives(pid); i++)
        usleep(10000);
    assert_false(lives(pid));
}

static void test_K_10_it_gets_what_the_contract_says(void **state)
{
    struct rig *rig = *state;

    setenv("PROVIDER_PACKET_OPT_secret", "x", 1);
    setenv("PROVIDER_PACKET_GIVEN_PROFILE", "mine", 1);
    setenv("GLIBC_TUNABLES", "glibc.malloc.perturb=1", 1);
    rig_start(rig,
              "printf '%s|' \"$@\" >$D/args; env >$D/env; ls /proc/self/fd >$D/fds; readlink /proc/self/fd/0 "
              ">$D/in; cat >$D/read\n" GIVE("first"),
              "      args: [\"$(touch $D/shell)\", \"two words\"]\n      env: [{name: ADDED, value: yes}]\n",
              EXEC_RUN_MS);
    rig_run(rig);
    assert_string_equal(rig->error, "");
    assert_string_equal(rig->access.token, "first");
    assert_string_equal(content("args"), "$(touch $D/shell)|two words|");
    assert_string_equal(content("shell"), "");
    assert_string_equal(content("read"), "");
    assert_string_equal(content("in"), "/dev/null\n");
    assert_string_equal(content("fds"), "0\n1\n2\n3\n"); /* ls's own is the last */
    const char *env = content("env");
    assert_non_null(strstr(env, "ADDED=yes\n"));
    assert_non_null(strstr(env, "PROFILE=mine\n"));
    assert_non_null(strstr(env, "KUBERNETES_EXEC_INFO={\"kind\":\"ExecCredential\""));
    assert_null(strstr(env, "PROVIDER_PACKET_"));
    assert_null(strstr(env, "GLIBC_TUNABLES"));
}

static void test_K_10_one_that_is_slow_is_killed_with_its_children(void **state)
{
    struct rig *rig = *state;

    rig_start(rig, "sleep 1000 &\necho $! >$D/child; sleep 1000", "", 500);
    rig_run(rig);
    assert_non_null(strstr(rig->error, "too long"));
    pid_t child = atoi(content("child"));
    assert_true(child > 0);
    wait_gone(child);
}

static void test_K_10_bad_ends(void **state)
{
    static const struct {
        const char *plugin, *why, *hint;
    } rows[] = {
        {"exit 7", "exit code 7", "get it at example.org"},
        {"kill -9 $$", "signal 9", NULL},
        {"head -c 1100000 /dev/zero; sleep 1000", "bytes", NULL},
        {"head -c 1100000 /dev/zero", "bytes", NULL},
        {"echo hello", "no JSON object", NULL},
        {":", "no JSON object", NULL},
        {"echo '" ANSWER "\"token\":\"t\",\"expirationTimestamp\":\"2020-01-01T00:00:00Z\"}}'", "expired",
         NULL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig *rig = *state;

        rig_start(rig, rows[i].plugin, "", EXEC_RUN_MS);
        rig_run(rig);
        bool hint = strstr(rig->error, "example.org") != NULL;
        if (rig->good || !strstr(rig->error, rows[i].why) || hint != (rows[i].hint != NULL) ||
            rig->access.token)
            fail_msg("row %zu: \"%s\" instead of \"%s\"", i, rig->error, rows[i].why);
        rig_close(state);
        rig_open(state);
    }
}

static void test_K_10_one_that_cannot_be_started(void **state)
{
    struct rig *rig = *state;

    rig_start(rig, "", "", EXEC_RUN_MS);
    char *path = in_folder("plugin");
    unlink(path);
    rig_run(rig);
    assert_non_null(strstr(rig->error, "No such file"));
    assert_non_null(strstr(rig->error, "example.org"));
    write_file("plugin", GIVE("by-a-shell") "\n", 0700); /* no program, and no shell is asked */
    rig_run(rig);
    assert_non_null(strstr(rig->error, "Exec format"));
    write_file("plugin", "", 0600);
    run_until(rig, rig->heard + !exec_plugin_ready(rig->plugin));
    assert_non_null(strstr(rig->error, "Permission denied"));
    free(path);
}

/* Runs the command "plugin" with this PATH. */
static void run_by_path(struct rig *rig, const char *path)
{
    char *old = x_strdup(getenv("PATH")), error[ACCESS_ERROR_MAX] = "";

    write_plugin(GIVE("found"));
    assert_int_equal(find_exec(&rig->access,
                               "      command: plugin\n      apiVersion: " V1
                               "\n      interactiveMode: Never\n",
                               "", error),
                     0);
    setenv("PATH", path, 1);
    assert_int_equal(exec_helper_start(&rig->helper, rig->access.exec, EXEC_RUN_MS), 0);
    setenv("PATH", old, 1);
    rig->loop = zloop_new();
    rig->plugin = exec_plugin_new(rig->loop, &rig->access, &rig->helper);
    exec_plugin_listen(rig->plugin, on_heard, rig);
    rig_run(rig);
    free(old);
}

/* Without a slash: in PATH, and there in no folder that depends on where we are. */
static void test_K_10_looked_for_in_the_path(void **state)
{
    char *path = x_asprintf("/nowhere:%s:%s", folder, getenv("PATH")), *here = getcwd(NULL, 0);

    run_by_path(*state, path);
    assert_string_equal(((struct rig *)*state)->access.token, "found");
    rig_close(state);
    rig_open(state);
    assert_int_equal(chdir(folder), 0);
    run_by_path(*state, ":.");
    assert_int_equal(chdir(here), 0);
    assert_non_null(strstr(((struct rig *)*state)->error, "No such file"));
    free(path);
    free(here);
}

static void test_K_10_what_it_says_to_people_is_bounded(void **state)
{
    struct rig *rig = *state;
    char *log = in_folder("log");
    int kept = dup(2), file = open(log, O_RDWR | O_CREAT | O_TRUNC, 0600);

    log_set_level(LEVEL_INFO);
    dup2(file, 2);
    rig_start(
        rig,
        "head -c 5000 /dev/zero | tr '\\0' x >&2; echo >&2\n"
        "i=0; while [ $i -lt 50 ]; do echo line $i >&2; i=$((i+1)); done; printf unfinished >&2\n" GIVE("t"),
        "", EXEC_RUN_MS);
    rig_run(rig);
    dup2(kept, 2);
    log_set_level(LEVEL_ERROR + 1);
    const char *text = content("log");
    unsigned said = 0;
    for (const char *at = text; (at = strstr(at, "the exec plugin says")); at++)
        said++;
    assert_int_equal(said, EXEC_LINES_MAX);
    assert_non_null(strstr(text, "line 18"));
    assert_null(strstr(text, "line 19"));
    assert_non_null(strstr(text, "\"lines\":32")); /* 1 + 50 + 1 of them, 20 were told */
    assert_int_equal(strspn(strchr(text, 'x') ? strstr(text, "xxx") : "", "x"), EXEC_LINE_MAX);
    assert_null(strstr(text, "\"token\""));
    close(kept);
    close(file);
    free(log);
}

/* SIGKILL of the one who asked, in the middle of a run: helper, plugin and the plugin's child end. */
static void test_K_10_nothing_outlives_the_watcher(void **state)
{
    struct rig *rig = *state;
    int tell[2];
    pid_t helper = 0;

    assert_int_equal(pipe(tell), 0);
    pid_t watcher = fork();
    if (watcher == 0) {
        rig_start(rig, "sleep 1000 &\necho $! >$D/child2; sleep 1000", "", EXEC_RUN_MS);
        exec_plugin_ready(rig->plugin);
        if (write(tell[1], &rig->helper.pid, sizeof helper) < 0)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(tell[0], &helper, sizeof helper), sizeof helper);
    for (int i = 0; i < 2000 && !strchr(content("child2"), '\n'); i++)
        usleep(10000);
    pid_t child = atoi(content("child2"));
    assert_true(lives(helper) && child > 0 && lives(child));
    kill(watcher, SIGKILL);
    waitpid(watcher, NULL, 0);
    wait_gone(helper);
    wait_gone(child);
    close(tell[0]);
    close(tell[1]);
}

#define RIGGED(test) cmocka_unit_test_setup_teardown(test, rig_open, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(test_K_10_it_gets_what_the_contract_says),
        RIGGED(test_K_10_one_that_is_slow_is_killed_with_its_children),
        RIGGED(test_K_10_bad_ends),
        RIGGED(test_K_10_one_that_cannot_be_started),
        RIGGED(test_K_10_looked_for_in_the_path),
        RIGGED(test_K_10_what_it_says_to_people_is_bounded),
        RIGGED(test_K_10_nothing_outlives_the_watcher),
    };

    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
