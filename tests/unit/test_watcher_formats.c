/* tests/unit/test_watcher_formats.c -- JSON to msgpack and back, parts of JSON texts, Status bodies, resource
 * versions, names (kubernetes 48, 64, 65). */
#include <math.h>

#include "tests/unit/test_watcher_fixture.h"
#include "watcher/core/convert.h"

static struct text text_of(const char *s)
{
    return (struct text){.p = s, .len = strlen(s)};
}

/* ---- convert ---- */

static void test_K_65_round_trip(void **state)
{
    static const char json[] =
        "{\"a\":9223372036854775807,\"b\":-9223372036854775808,\"c\":[1.5,true,false,"
        "null,\"\\u00e4\\n\\\"\"],"
        "\"d\":{\"e\":{}},\"port\":8080,\"most\":\"80%\",\"metadata\":{\"x\":[]},\"f\":\"\\ud83d\\ude00\"}";
    struct pack pack;
    int64_t n;

    (void)state;
    pack_open(&pack);
    assert_int_equal(convert_object(text_of(json), &pack), 0);
    struct value v = pack_result(&pack);
    assert_true(value_int(value_get(v, "a"), &n) && n == INT64_MAX);
    assert_true(value_int(value_get(v, "b"), &n) && n == INT64_MIN);
    char *back = convert_patch(v, SPAN("77"));
    assert_non_null(back);
    json_t *want = json_loads(json, 0, NULL), *have = json_loads(back, 0, NULL);
    json_object_set_new(json_object_get(want, "metadata"), "resourceVersion", json_string("77"));
    assert_true(json_equal(want, have));
    json_decref(want);
    json_decref(have);
    free(back);
    pack_close(&pack);
}

static void test_managed_fields_are_left_out(void **state)
{
    struct pack pack;

    (void)state;
    pack_open(&pack);
    assert_int_equal(convert_object(text_of("{\"metadata\":{\"managedFields\":[1],\"name\":\"n\"},"
                                            "\"spec\":{\"managedFields\":1}}"),
                                    &pack),
                     0);
    struct value v = pack_result(&pack);
    assert_int_equal(value_count(value_get(v, "metadata")), 1);
    assert_int_equal(value_count(value_get(v, "spec")), 1);
    pack_close(&pack);
}

static void nested(char *out, unsigned depth)
{
    char *at = out;

    for (unsigned i = 0; i < depth; i++)
        at += sprintf(at, "{\"a\":");
    at += sprintf(at, "1");
    for (unsigned i = 0; i < depth; i++)
        *at++ = '}';
    *at = '\0';
}

static void test_depth_is_limited(void **state)
{
    char *json = x_malloc(200000 * 6 + 10);
    struct pack pack;

    (void)state;
    pack_open(&pack);
    nested(json, VALUE_DEPTH_MAX - 1);
    assert_int_equal(convert_object(text_of(json), &pack), 0);
    nested(json, VALUE_DEPTH_MAX + 1);
    assert_int_equal(convert_object(text_of(json), &pack), -1);
    nested(json, 200000);
    assert_int_equal(convert_object(text_of(json), &pack), -1);
    assert_int_equal(pack.out.size, 0);
    assert_true(scan_shallow(text_of("[\"[[[[[[\",{}]"), 2)); /* brackets in text do not count */
    pack_close(&pack);
    free(json);
}

static void test_what_is_no_object(void **state)
{
    const char *const bad[] = {
        "", "[]", "1", "\"x\"", "{", "{}x", "{\"a\":}", "{\"a\":1e999}", "{\"a\":\"\xff\"}", "null"};
    struct pack pack;

    (void)state;
    pack_open(&pack);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (convert_object(text_of(bad[i]), &pack) != -1)
            fail_msg("taken: %s", bad[i]);
    pack_close(&pack);
}

static void test_what_json_cannot_say(void **state)
{
    struct pack pack;

    (void)state;
    pack_open(&pack);
    pack_map(&pack, 1), pack_text(&pack, "a"), pack_bin(&pack, "x", 1);
    assert_null(convert_patch(pack_result(&pack), SPAN("1")));
    pack_again(&pack);
    pack_map(&pack, 1), pack_text(&pack, "a"), pack_text(&pack, "\xff\xfe");
    assert_null(convert_patch(pack_result(&pack), SPAN("1")));
    pack_again(&pack);
    pack_map(&pack, 1), pack_text(&pack, "a"), msgpack_pack_double(&pack.to, NAN);
    assert_null(convert_patch(pack_result(&pack), SPAN("1")));
    pack_again(&pack);
    pack_map(&pack, 1), pack_text(&pack, "metadata"), pack_text(&pack, "none");
    assert_null(convert_patch(pack_result(&pack), SPAN("1")));
    pack_again(&pack);
    pack_array(&pack, 0);
    assert_null(convert_patch(pack_result(&pack), SPAN("1")));
    pack_close(&pack);
}

/* ---- scan ---- */

static void test_scan(void **state)
{
    struct text json = text_of(
        " {\"a\" : {\"b}\\\"\":[1,{\"x\":2}],\"s\":\"t\"} , \"n\":-1.5e3,\"a2\":[ ],\"last\":1,\"last\":2}");
    struct text item;
    size_t at = 0;

    (void)state;
    assert_true(span_is(scan_string(scan_path(json, "a", "s", NULL)), "t"));
    assert_int_equal(scan_member(json, "n").len, 6);
    assert_memory_equal(scan_member(json, "last").p, "2", 1); /* the last of a name counts */
    assert_null(scan_path(json, "a", "zz", "y", NULL).p);
    assert_false(scan_item(scan_member(json, "a2"), &at, &item));
    at = 0;
    struct text list = text_of("[1, \"a,]\" ,{\"b\":[2]}]");
    unsigned n = 0;
    while (scan_item(list, &at, &item))
        n++;
    assert_int_equal(n, 3);
    assert_null(scan_string(text_of("\"a\\n\"")).p);
    assert_null(scan_string(text_of("12")).p);
    assert_null(scan_string(text_of("\"a\bc\"")).p); /* no JSON, and no message would take it */
    assert_null(scan_string(text_of("\"a\x7f\"")).p);
}

static void test_scan_of_cut_off_text(void **state)
{
    static const char whole[] =
        "{\"a\":{\"b\":[1,{\"c\":\"d\\\"e\"}]},\"metadata\":{\"continue\":\"\"},\"items\":[{},{}]}";
    struct text item;

    (void)state;
    for (size_t len = 0; len < sizeof whole; len++) {
        char *copy = x_strndup(whole, len); /* ASan sees a read behind it */
        struct text cut = {.p = copy, .len = len};
        size_t at = 0;
        scan_path(cut, "a", "b", "c", NULL);
        struct text items = scan_member(cut, "items");
        while (scan_item(items, &at, &item))
            ;
        at = 0;
        while (scan_item(cut, &at, &item))
            ;
        scan_shallow(cut, 3);
        scan_string(cut);
        free(copy);
    }
}

/* ---- status ---- */

static void test_K_48_status_bodies(void **state)
{
    struct row {
        int code;
        const char *body;
        int want;
        const char *reason, *message;
        bool expired, too_large;
        int64_t retry;
    } rows[] = {
        {409, "{\"kind\":\"Status\",\"reason\":\"Conflict\",\"message\":\"m\\nx\"}", 409, "Conflict", "m x",
         false, false, -1},
        {409, "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\"}", 409, "AlreadyExists",
         "the server answered 409", false, false, -1},
        {0, "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"old\"}", 410, "Expired",
         "old", true, false, -1},
        {410, "", 410, "Gone", "the server answered 410", true, false, -1},
        {429, "Too many requests, please try again later.\n", 429, "TooManyRequests",
         "Too many requests, please try again later. ", false, false, -1},
        {502, "<html><h1>Bad Gateway</h1></html>", 502, "Unknown", "the server answered 502", false, false,
         -1},
        {503, "{\"kind\":\"NoStatus\",\"message\":\"x\"}", 503, "ServiceUnavailable",
         "the server answered 503", false, false, -1},
        {504,
         "{\"kind\":\"Status\",\"reason\":\"Timeout\",\"message\":\"t\",\"details\":{\"retryAfterSeconds\":3,"
         "\"causes\":[{"
         "\"reason\":\"ResourceVersionTooLarge\",\"message\":\"x\"}]}}",
         504, "Timeout", "t", false, true, 3000},
        {504,
         "{\"kind\":\"Status\",\"reason\":\"Timeout\",\"message\":\"Too large resource version: 1, current: "
         "0\"}",
         504, "Timeout", "Too large resource version: 1, current: 0", false, true, -1},
        {500, "{\"kind\":\"Status\",\"reason\":7,\"message\":[],\"details\":[{}],\"code\":\"x\"}", 500,
         "InternalError", "the server answered 500", false, false, -1},
        {0, "{\"kind\":\"Status\",\"details\":{\"retryAfterSeconds\":-5,\"causes\":[7,null]}}", 0, "Unknown",
         "the server answered 0", false, false, -1},
    };
    struct kube_status status;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        status_read(rows[i].code, text_of(rows[i].body), &status);
        assert_int_equal(status.code, rows[i].want);
        assert_string_equal(status.reason, rows[i].reason);
        assert_string_equal(status.message, rows[i].message);
        assert_int_equal(status_expired(&status), rows[i].expired);
        assert_int_equal(status.too_large, rows[i].too_large);
        assert_int_equal(status.retry_after_ms, rows[i].retry);
    }
}

static void test_a_long_message_is_cut_between_characters(void **state)
{
    char body[2000];
    struct kube_status status;

    (void)state;
    for (size_t i = 0; i + 1 < sizeof body; i += 2)
        memcpy(body + i, "\xc3\xa4", 2);
    body[sizeof body - 1] = '\0';
    status_read(500, (struct text){.p = body, .len = 1998}, &status);
    assert_int_equal(strlen(status.message) % 2, 0);
    assert_in_range(strlen(status.message), 500, 511);
}

/* kubernetes 64: text, never a number of 64 bits */
static void test_K_64_versions(void **state)
{
    (void)state;
    assert_int_equal(version_compare(SPAN("9"), SPAN("10")), VERSION_OLDER);
    assert_int_equal(version_compare(SPAN("10"), SPAN("9")), VERSION_NEWER);
    assert_int_equal(version_compare(SPAN("10"), SPAN("10")), VERSION_SAME);
    assert_int_equal(
        version_compare(SPAN("340282366920938463463374607431768211455"), SPAN("18446744073709551616")),
        VERSION_NEWER);
    assert_int_equal(version_compare(SPAN("010"), SPAN("9")), VERSION_UNKNOWN);
    assert_int_equal(version_compare(SPAN("abc"), SPAN("9")), VERSION_UNKNOWN);
    assert_int_equal(version_compare(SPAN("abc"), SPAN("abc")), VERSION_SAME);
    assert_int_equal(version_compare(SPAN("0"), SPAN("9")), VERSION_UNKNOWN);
}

static void test_names_for_paths(void **state)
{
    const char *const bad[] = {"", ".", "..", "a/b", "a%2f", "A", "a b", "a?", "\xc3\xa4", "a_b"};

    (void)state;
    assert_true(object_name_ok(SPAN("shoot--a--b.c-1")));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(object_name_ok(span_of(bad[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_K_65_round_trip),
        cmocka_unit_test(test_managed_fields_are_left_out),
        cmocka_unit_test(test_depth_is_limited),
        cmocka_unit_test(test_what_is_no_object),
        cmocka_unit_test(test_what_json_cannot_say),
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_scan_of_cut_off_text),
        cmocka_unit_test(test_K_48_status_bodies),
        cmocka_unit_test(test_a_long_message_is_cut_between_characters),
        cmocka_unit_test(test_K_64_versions),
        cmocka_unit_test(test_names_for_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
