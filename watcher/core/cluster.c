/* watcher/core/cluster.c -- picks four values out of 50 to 100 KiB without parsing them. Owns nothing. Called
 * by jobs.c. */
#include "watcher/core/cluster.h"

#include <string.h>

#include "watcher/core/convert.h"

#define FORCE_DELETION "confirmation.gardener.cloud/force-deletion"

/* As Go's strconv.ParseBool (gardener 46, 47). */
static bool says_true(const char *text)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};

    for (size_t i = 0; text && i < sizeof yes / sizeof *yes; i++)
        if (!strcmp(text, yes[i]))
            return true;
    return false;
}

int cluster_read(struct text body, struct cluster *out)
{
    struct text shoot = scan_path(body, "spec", "shoot", NULL);

    *out = (struct cluster){0};
    if (!span_is(scan_string(scan_member(body, "kind")), "Cluster") || !shoot.p || shoot.p[0] != '{')
        return -1;
    json_t *annotations = convert_parse(scan_path(shoot, "metadata", "annotations", NULL));
    out->force_delete = says_true(json_string_value(json_object_get(annotations, FORCE_DELETION)));
    json_decref(annotations);
    out->failed = span_is(scan_string(scan_path(shoot, "status", "lastOperation", "state", NULL)), "Failed");
    struct span uid = scan_string(scan_path(shoot, "metadata", "uid", NULL));
    if (!span_copy(uid, out->shoot_uid, sizeof out->shoot_uid))
        out->shoot_uid[0] = '\0';
    return 0;
}
