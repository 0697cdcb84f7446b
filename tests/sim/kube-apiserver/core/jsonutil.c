/* tests/sim/kube-apiserver/core/jsonutil.c -- JSON values that are changed by copying the path to the change.
 * Owns the two patch algorithms (RFC 7386, RFC 6902). Never changes a value it was given. Called by the write
 * path and by everyone who reads a field. */
#include <string.h>

#include "tests/sim/kube-apiserver/core/internal.h"

#define STEP_MAX 300u

json_t *ks_at(const json_t *root, const char *path)
{
    const json_t *at = root;

    while (at != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");

        at = json_object_getn(at, path, len);
        path += len + (path[len] == '.');
    }
    return (json_t *)(uintptr_t)at; /* jansson's own getters drop const in the same way */
}

const char *ks_str(const json_t *root, const char *path)
{
    const char *text = json_string_value(ks_at(root, path));

    return text ? text : "";
}

bool ks_same(const json_t *a, const json_t *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return json_equal((json_t *)(uintptr_t)a, (json_t *)(uintptr_t)b) == 1;
}

json_t *ks_with(json_t *object, const char *key, json_t *value)
{
    json_t *copy = json_is_object(object) ? json_copy(object) : json_object();

    if (value == NULL)
        (void)json_object_del(copy, key);
    else
        (void)json_object_set_new(copy, key, value);
    return copy;
}

/* What is not changed keeps its address, so that later comparisons end at once. */
json_t *ks_merge_patch(json_t *target, json_t *patch)
{
    json_t *result = NULL;
    const char *key;
    json_t *value;

    if (!json_is_object(patch))
        return json_incref(patch);
    if (!json_is_object(target))
        result = json_object();
    json_object_foreach(patch, key, value)
    {
        json_t *old = json_object_get(result ? result : target, key);
        json_t *merged = json_is_null(value) ? NULL : ks_merge_patch(old, value);

        if (merged == old || (merged != NULL && ks_same(merged, old))) {
            json_decref(merged);
            continue;
        }
        if (result == NULL)
            result = json_copy(target);
        if (merged == NULL)
            (void)json_object_del(result, key);
        else
            (void)json_object_set_new(result, key, merged);
    }
    return result ? result : json_incref(target);
}

/* ---- RFC 6902 ---- */

/* One step of a JSON pointer, unescaped. Returns what follows it, NULL when it is too long. */
static const char *pointer_step(const char *at, char step[STEP_MAX])
{
    size_t used = 0;

    for (at++; *at != '\0' && *at != '/'; at++) {
        char c = *at;

        if (c == '~' && (at[1] == '0' || at[1] == '1'))
            c = *++at == '0' ? '~' : '/';
        if (used + 1 >= STEP_MAX)
            return NULL;
        step[used++] = c;
    }
    step[used] = '\0';
    return at;
}

static int array_index(const json_t *array, const char *step, bool end_allowed, size_t *index)
{
    uint64_t value;
    size_t n = json_array_size(array);

    if (end_allowed && strcmp(step, "-") == 0) {
        *index = n;
        return 0;
    }
    if (ks_number(step, &value) != 0 || value > n || (value == n && !end_allowed))
        return -1;
    *index = (size_t)value;
    return 0;
}

static json_t *child_of(json_t *node, const char *step)
{
    size_t index;

    if (json_is_object(node))
        return json_object_get(node, step);
    if (json_is_array(node) && array_index(node, step, false, &index) == 0)
        return json_array_get(node, index);
    return NULL;
}

/* The container of the last step. NULL when the way does not exist. */
static json_t *pointer_parent(json_t *root, const char *path, char last[STEP_MAX])
{
    json_t *node = root;

    if (*path != '/')
        return NULL;
    for (;;) {
        path = pointer_step(path, last);
        if (path == NULL || node == NULL)
            return NULL;
        if (*path == '\0')
            return node;
        node = child_of(node, last);
    }
}

static json_t *pointer_get(json_t *root, const char *path)
{
    char last[STEP_MAX];
    json_t *parent;

    if (*path == '\0')
        return root;
    parent = pointer_parent(root, path, last);
    return parent ? child_of(parent, last) : NULL;
}

static int pointer_remove(json_t *root, const char *path)
{
    char last[STEP_MAX];
    json_t *parent = pointer_parent(root, path, last);
    size_t index;

    if (json_is_object(parent))
        return json_object_del(parent, last);
    if (json_is_array(parent) && array_index(parent, last, false, &index) == 0)
        return json_array_remove(parent, index);
    return -1;
}

/* value is stolen */
static int pointer_add(json_t *root, const char *path, json_t *value, bool replace)
{
    char last[STEP_MAX];
    json_t *parent = pointer_parent(root, path, last);
    size_t index;

    if (replace && (parent == NULL || child_of(parent, last) == NULL)) {
        json_decref(value);
        return -1;
    }
    if (json_is_object(parent))
        return json_object_set_new(parent, last, value);
    if (json_is_array(parent) && array_index(parent, last, !replace, &index) == 0)
        return replace ? json_array_set_new(parent, index, value)
                       : json_array_insert_new(parent, index, value);
    json_decref(value);
    return -1;
}

static int patch_op(json_t *root, const json_t *op)
{
    const char *kind = ks_str(op, "op");
    const char *path = ks_str(op, "path");
    json_t *value = json_object_get(op, "value");
    json_t *from;

    if (strcmp(kind, "remove") == 0)
        return pointer_remove(root, path);
    if (strcmp(kind, "test") == 0)
        return ks_same(pointer_get(root, path), value) ? 0 : -1;
    if (strcmp(kind, "add") == 0 || strcmp(kind, "replace") == 0)
        return value ? pointer_add(root, path, json_deep_copy(value), *kind == 'r') : -1;
    if (strcmp(kind, "move") != 0 && strcmp(kind, "copy") != 0)
        return -1;
    from = json_deep_copy(pointer_get(root, ks_str(op, "from")));
    if (from == NULL || (*kind == 'm' && pointer_remove(root, ks_str(op, "from")) != 0)) {
        json_decref(from);
        return -1;
    }
    return pointer_add(root, path, from, false);
}

json_t *ks_json_patch(json_t *target, json_t *ops, char **error)
{
    json_t *copy = json_deep_copy(target);
    size_t i;
    json_t *op;

    *error = NULL;
    json_array_foreach(ops, i, op)
    {
        if (patch_op(copy, op) == 0)
            continue;
        *error =
            x_asprintf("operation %zu (%s %s) cannot be applied", i, ks_str(op, "op"), ks_str(op, "path"));
        json_decref(copy);
        return NULL;
    }
    return copy;
}
