/* tests/tools/print_protocol.c -- writes what follows from the list of messages: docs/protocol.md (--page)
 * and one frame of each message for the fuzzers (--corpus DIR). Called by `make generate` and `make check`.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test_proto_samples.h"

static const char *const type_names[] = {
    [TYPE_u64] = "number", [TYPE_str] = "text", [TYPE_bin] = "bytes", [TYPE_val] = "value"};

static void print_roles(unsigned roles)
{
    const char *comma = "";

    for (unsigned role = SUPERVISOR; role <= CONTROL; role <<= 1) {
        if (roles & role) {
            printf("%s%s", comma, role_name(role));
            comma = ", ";
        }
    }
}

static void print_limit(const struct field_spec *f)
{
    if (f->type == TYPE_u64)
        printf("at most %llu", (unsigned long long)f->limit);
    else
        printf("%llu bytes", (unsigned long long)f->limit);
}

static void print_message(const struct msg_spec *spec)
{
    bool question = spec->says[strlen(spec->says) - 1] == '?';

    printf("\n### %u %s\n\n%c%s%s From ", (unsigned)spec->id, spec->name,
           spec->says[0] >= 'a' && spec->says[0] <= 'z' ? spec->says[0] - 'a' + 'A' : spec->says[0],
           spec->says + 1, question ? "" : ".");
    print_roles(spec->from);
    printf(" to ");
    print_roles(spec->to);
    printf(".\n\n| tag | field | type | limit | |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < spec->n_fields; i++) {
        const struct field_spec *f = &spec->fields[i];
        printf("| %u | `%s` | %s | ", (unsigned)f->tag, f->name, type_names[f->type]);
        print_limit(f);
        printf(" | %s |\n", f->need == NEED_must ? "required" : "optional");
    }
}

static void print_preface(void)
{
    printf(
        "# Messages between the processes\n\n"
        "Made from `proto/messages.h` by `make generate`; do not edit. `make check` fails when it is "
        "stale.\n\n"
        "## Frame\n\n"
        "One ZeroMQ message part, or one packet of the control socket, at most %u bytes, in msgpack:\n\n"
        "    [version, id, from, to, correlation, epoch, deadline, {tag: value, ...}]\n\n"
        "| item | meaning |\n|---|---|\n"
        "| version | %u |\n"
        "| id | which message, see below |\n"
        "| from | the sender's incarnation; 0 for packetctl |\n"
        "| to | the receiver's incarnation; a frame for a predecessor is dropped |\n"
        "| correlation | the sender's incarnation in the upper 32 bits, its counter in the lower; an answer "
        "carries its question's |\n"
        "| epoch | the leadership epoch of a mutation, else 0 |\n"
        "| deadline | milliseconds of CLOCK_BOOTTIME after which it may not be acted on; 0 = none |\n\n",
        PROTO_FRAME_MAX, PROTO_VERSION);
    printf(
        "Types: a *number* is an unsigned integer; *text* holds no control characters (line ends and tabs "
        "are "
        "allowed where the limit is %u or %u bytes); *bytes* are free; a *value* is one msgpack item of any "
        "shape, nested at most %u deep, its maps keyed by text or by numbers up to 255, without extension "
        "types. An optional number that is absent is 0.\n\n",
        LIMIT_TEXT, LIMIT_KEY, VALUE_DEPTH_MAX);
}

static void print_verdicts(void)
{
    printf(
        "## Verdicts\n\nEvery frame gets one. Only `FRAME_OK` reaches a handler; the others are counted and "
        "cost their sender, nobody else:\n\n");
#define AS_LINE(name) printf("- `%s`\n", #name);
    PROTO_VERDICTS(AS_LINE)
#undef AS_LINE
    printf(
        "\nA sender is known by the pid that the kernel reports for its connection, not by anything in the "
        "frame: a frame of an unknown pid is `FRAME_STRANGER` before a byte of it is read.\n");
}

static void print_page(void)
{
    size_t n;
    const struct msg_spec *specs = msg_specs(&n);

    print_preface();
    print_verdicts();
    printf("\n## Messages\n\n| id | name | from | to | says |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < n; i++) {
        printf("| %u | %s | ", (unsigned)specs[i].id, specs[i].name);
        print_roles(specs[i].from);
        printf(" | ");
        print_roles(specs[i].to);
        printf(" | %s |\n", specs[i].says);
    }
    for (size_t i = 0; i < n; i++)
        print_message(&specs[i]);
}

static int write_sample(const char *dir, const struct msg_spec *spec, enum sample sample, const char *suffix)
{
    struct envelope e = sample_envelope(sample);
    msgpack_sbuffer frame;
    union msg_body body;
    char path[4096];

    msgpack_sbuffer_init(&frame);
    sample_body(spec, sample, &body);
    snprintf(path, sizeof(path), "%s/%s-%s", dir, spec->name, suffix);
    FILE *out = msg_encode(&e, (enum msg_id)spec->id, &body, &frame) == 0 ? fopen(path, "wb") : NULL;
    size_t written = out ? fwrite(frame.data, 1, frame.size, out) : 0;
    int rc = out && fclose(out) == 0 && written == frame.size ? 0 : -1;
    if (rc != 0)
        fprintf(stderr, "cannot write %s: %s\n", path, strerror(errno));
    msgpack_sbuffer_destroy(&frame);
    return rc;
}

static int write_corpus(const char *dir)
{
    size_t n;
    const struct msg_spec *specs = msg_specs(&n);

    for (size_t i = 0; i < n; i++)
        if (write_sample(dir, &specs[i], SAMPLE_LEAST, "least") ||
            write_sample(dir, &specs[i], SAMPLE_FULL, "full"))
            return EXIT_FAILURE;
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--corpus") == 0)
        return write_corpus(argv[2]);
    if (argc != 2 || strcmp(argv[1], "--page") != 0) {
        fprintf(stderr, "usage: print_protocol --page | --corpus DIR\n");
        return EXIT_FLAGS;
    }
    print_page();
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
