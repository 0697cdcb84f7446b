/* tests/unit/test_worker_pubkey.c -- public keys as people write them: every type, comments, options, CRLF,
 * and keys that are no keys. Fingerprints are ssh-keygen's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "worker/core/base64.h"
#include "worker/core/pubkey.h"

#define BLOB "AAAAC3NzaC1lZDI1NTE5AAAAIFYeYZjdAIpMEKpo4xHwHd+pPidFMjRYPbfUT0kvZf/t"
#define KEY  "ssh-ed25519 " BLOB
#define FP   "SHA256:fBTkxAGuTMOOuT9U+x4uoLJPrEU10Hk57cmphIFXYNQ"
#define ECDSA                                                                                                \
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBA89mI6X5mj8WGSqXDIN0Qy8lR/"    \
    "K7kmXaraSv43S/FAV9Mme16R+81eNRf4g+vPi4cMApPpk/VP78c2+bv3kjDM="
#define ECDSA_FP "SHA256:O7ZXVsRSpf6WtbHOw/6GpkOv9YeiQaMPtohPLCF3WqU"
#define ECDSA_521                                                                                            \
    "ecdsa-sha2-nistp521 "                                                                                   \
    "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBACpi4KTNqR05/gYuZ/buZ/VYkgnAOu7+3mk//"             \
    "kty4YV6TVULGLAqJ0c2ES/F1L+UPJPAVpAwZP8xZP0l5QFVvNY8AGl0tw/B1C7N/zdIC2ObDSQzTK40jk/+CdD0OA/"             \
    "k0TlVyobnv7GEAdLZ8WAXClPSjHdO7K/yN5Rps9L24ziGkWrLw=="
#define ECDSA_521_FP "SHA256:n/eR7cCWfX7ZYiO/wNKY5/63jmJPkTeoe21fFhCMzp0"
#define SK_KEY                                                                                               \
    "sk-ssh-ed25519@openssh.com "                                                                            \
    "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhsc"                   \
    "HR4fAAAABHNzaDo="
#define SK_FP "SHA256:/p0CbeE3dk2SyW1OXXsThGc12ezDVD8eGw2/vtztDfk"
#define SK_ECDSA                                                                                             \
    "sk-ecdsa-sha2-nistp256@openssh.com "                                                                    \
    "AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyNTYAAA"                                 \
    "BBBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEc3NoOg=="
#define SK_ECDSA_FP "SHA256:0Y49hGa8S1WlZTGsWE4nZ9spD7bM6kBotydoVw10XiE"
#define DSA         "ssh-dss AAAAB3NzaC1kc3MAAAACcDEAAAABcQAAAAFnAAAAAXk="
#define DSA_FP      "SHA256:R2HN8WIcup/PqoOgLVISQxDmO1g6oAjLEjX5RdJ4Joc"
#define RSA         "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAEQBubm5ubm5ubm5ubm5ubm5u"
#define RSA_FP      "SHA256:8uAPtGL8z3/2uuTcyg95zD6m5IlvJrZsfTQ0Kqr6nWg"

static void every_line_that_is_a_key_is_read(void **state)
{
    static const struct {
        const char *text, *line, *fingerprint;
    } cases[] = {
        {KEY, KEY, FP},
        {ECDSA, ECDSA, ECDSA_FP},
        {ECDSA_521, ECDSA_521, ECDSA_521_FP},
        {SK_KEY, SK_KEY, SK_FP},
        {SK_ECDSA, SK_ECDSA, SK_ECDSA_FP},
        {DSA, DSA, DSA_FP},
        {RSA, RSA, RSA_FP},
        {KEY "\n", KEY, FP},
        {KEY "\r\n", KEY, FP},
        {"  \t" KEY "  \r\n\r\n", KEY, FP},
        {"ssh-ed25519\t" BLOB "\tme@host", KEY " me@host", FP},
        {KEY " two words", KEY " two words", FP},
        {KEY "   \"quoted\" comment ", KEY " \"quoted\" comment", FP},
        {KEY " gr\xc3\xbc\xc3\x9f", KEY, FP}, /* what is not plain text stays here */
        {KEY " bell\a", KEY, FP},
        {"# a comment line\n\n" KEY "\n# another\n", KEY, FP},
        {"no-pty " KEY " me", KEY " me", FP},
        {"command=\"echo \\\"hi\\\" ssh-rsa\",no-pty " KEY, KEY, FP},
        {"from=\"10.0.0.0/8,*.example\" " KEY, KEY, FP},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pubkey key;
        enum cause cause = pubkey_parse(span_of(cases[i].text), &key);

        if (cause != CAUSE_NONE || !key.present)
            fail_msg("not read (%d): %s", cause, cases[i].text);
        assert_string_equal(key.line, cases[i].line);
        assert_string_equal(key.fingerprint, cases[i].fingerprint);
    }
}

static void what_is_no_key_is_refused_for_its_reason(void **state)
{
    static const struct {
        const char *text;
        enum cause cause;
    } cases[] = {
        {"hello", CAUSE_KEY_FORMAT},
        {"ssh-ed25519", CAUSE_KEY_FORMAT},
        {"ssh-ed25519 !!!!", CAUSE_KEY_FORMAT},
        {"ssh-ed25519 AAAA", CAUSE_KEY_FORMAT},
        {"ssh-rsa " BLOB, CAUSE_KEY_FORMAT},            /* the blob says another type */
        {"ssh-ed25519 " BLOB "AAAA", CAUSE_KEY_FORMAT}, /* something follows */
        {"ssh-ed448 " BLOB, CAUSE_KEY_FORMAT},
        {"1024 35 1234567890", CAUSE_KEY_FORMAT}, /* protocol 1 */
        {"---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----\n", CAUSE_KEY_FORMAT},
        {"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", CAUSE_KEY_PRIVATE},
        {"-----BEGIN RSA PRIVATE KEY-----", CAUSE_KEY_PRIVATE},
        {"ssh-ed25519-cert-v01@openssh.com AAAA", CAUSE_KEY_CERTIFICATE},
        {"cert-authority " KEY, CAUSE_KEY_CERTIFICATE},
        {KEY "\n" ECDSA "\n", CAUSE_KEY_SEVERAL},
        {"command=\"open " KEY, CAUSE_KEY_FORMAT},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pubkey key;
        enum cause cause = pubkey_parse(span_of(cases[i].text), &key);

        if (cause != cases[i].cause || key.present)
            fail_msg("%d instead of %d: %s", cause, cases[i].cause, cases[i].text);
    }
}

static void the_field_of_the_spec_is_base64(void **state)
{
    static const struct {
        const char *text;
        enum cause cause;
        bool present;
    } cases[] = {
        {"", CAUSE_NONE, false},
        {" \n ", CAUSE_NONE, false},
        {"Cg==", CAUSE_NONE, false},         /* a line end */
        {"IyBubyBrZXkK", CAUSE_NONE, false}, /* "# no key" */
        {"c3NoLWVkMjU1MTkgQUFBQUMzTnphQzFsWkRJMU5URTVBQUFBSUZZZVlaamRBSXBNRUtwbzR4SHdIZCtwUGlkRk1qUllQYmZVVDB"
         "rdlpmL3Q=",
         CAUSE_NONE, true},
        {"c3NoLWVkMjU1MTkgQUFBQUMzTnphQzFsWkRJMU5URTVBQUFBSUZZZVlaamRBSXBNRUtwbzR4SHd\nIZCtwUGlkRk1qUllQYmZVV"
         "DBrdlpmL3Q=\n",
         CAUSE_NONE, true},
        {"ssh-ed25519 AAAA", CAUSE_KEY_BASE64, false},
        {"Zm9v*", CAUSE_KEY_BASE64, false},
        {"Zm9vYg", CAUSE_KEY_BASE64, false},
        {"Zm9v", CAUSE_KEY_FORMAT, false},
        {"AAAA", CAUSE_KEY_FORMAT, false}, /* NULs */
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pubkey key;
        enum cause cause = pubkey_read(span_of(cases[i].text), &key);

        if (cause != cases[i].cause || key.present != cases[i].present)
            fail_msg("%d instead of %d: %s", cause, cases[i].cause, cases[i].text);
    }
}

static void too_long_is_refused_and_cuts_do_no_harm(void **state)
{
    static char text[2 * LIMIT_KEY];
    struct pubkey key;
    (void)state;

    memset(text, 'A', sizeof text);
    assert_int_equal(pubkey_parse((struct span){.p = text, .len = LIMIT_KEY + 1}, &key), CAUSE_KEY_LONG);
    assert_int_equal(pubkey_read((struct span){.p = text, .len = sizeof text}, &key), CAUSE_KEY_LONG);
    for (uint32_t len = 0; len < sizeof KEY - 1; len++)
        assert_false(pubkey_parse((struct span){.p = KEY, .len = len}, &key) == CAUSE_NONE && key.present);
}

static void base64_is_exact(void **state)
{
    uint8_t out[8];
    char text[16];
    size_t len;
    (void)state;

    assert_true(pubkey_base64_decode("Zm9vYg==", 8, false, out, sizeof out, &len));
    assert_int_equal(len, 4);
    assert_memory_equal(out, "foob", 4);
    assert_false(pubkey_base64_decode("Zm9vYg=", 7, false, out, sizeof out, &len));
    assert_false(pubkey_base64_decode("Zg==Zg==", 8, false, out, sizeof out, &len));
    assert_false(pubkey_base64_decode("Z===", 4, false, out, sizeof out, &len));
    assert_false(pubkey_base64_decode("Zm9v", 4, false, out, 2, &len));
    pubkey_base64_encode((const uint8_t *)"foob", 4, text, sizeof text);
    assert_string_equal(text, "Zm9vYg");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_that_is_a_key_is_read),
        cmocka_unit_test(what_is_no_key_is_refused_for_its_reason),
        cmocka_unit_test(the_field_of_the_spec_is_base64),
        cmocka_unit_test(too_long_is_refused_and_cuts_do_no_harm),
        cmocka_unit_test(base64_is_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
