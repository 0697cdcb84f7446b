/* tests/sim/kube-apiserver/crdfile.c -- reads CustomResourceDefinitions from YAML (or JSON, which is YAML).
 * Owns the turn from YAML nodes to JSON values. Called at start for every --crd. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "tests/sim/kube-apiserver/server.h"

/* A plain scalar may be a number, a truth value or null; a quoted one is text. */
static json_t *scalar(const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    char *end;
    long long number;

    if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return json_string(text);
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(*text == 't');
    if (*text == '\0' || strcmp(text, "null") == 0 || strcmp(text, "~") == 0)
        return json_null();
    errno = 0;
    number = strtoll(text, &end, 10);
    return *end == '\0' && errno == 0 ? json_integer(number) : json_string(text);
}

static json_t *convert(yaml_document_t *document, const yaml_node_t *node)
{
    json_t *made;

    if (node == NULL)
        return json_null();
    if (node->type == YAML_SEQUENCE_NODE) {
        made = json_array();
        for (const yaml_node_item_t *item = node->data.sequence.items.start;
             item < node->data.sequence.items.top; item++)
            (void)json_array_append_new(made, convert(document, yaml_document_get_node(document, *item)));
        return made;
    }
    if (node->type == YAML_MAPPING_NODE) {
        made = json_object();
        for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
             pair < node->data.mapping.pairs.top; pair++) {
            const yaml_node_t *key = yaml_document_get_node(document, pair->key);

            if (key != NULL && key->type == YAML_SCALAR_NODE)
                (void)json_object_set_new(made, (const char *)key->data.scalar.value,
                                          convert(document, yaml_document_get_node(document, pair->value)));
        }
        return made;
    }
    return scalar(node);
}

/* 1: one document was read, 0: the end, -1: broken or refused. */
static int load_document(struct kube_sim *sim, yaml_parser_t *parser, int64_t wall_ms)
{
    yaml_document_t document;
    const yaml_node_t *root;
    json_t *crd;
    int result = 1;

    if (!yaml_parser_load(parser, &document))
        return -1;
    root = yaml_document_get_root_node(&document);
    if (root == NULL) {
        yaml_document_delete(&document);
        return 0;
    }
    crd = convert(&document, root);
    if (json_is_object(crd) && kube_sim_load_crd(sim, crd, wall_ms) != 0)
        result = -1;
    json_decref(crd);
    yaml_document_delete(&document);
    return result;
}

int crdfile_load(struct kube_sim *sim, const char *path, int64_t wall_ms)
{
    FILE *file = fopen(path, "r");
    yaml_parser_t parser;
    int result = -1;

    if (file != NULL && yaml_parser_initialize(&parser)) {
        yaml_parser_set_input_file(&parser, file);
        do
            result = load_document(sim, &parser, wall_ms);
        while (result > 0);
        yaml_parser_delete(&parser);
    }
    if (file != NULL)
        (void)fclose(file);
    if (result != 0)
        (void)fprintf(stderr, "kube-apiserver simulator: cannot load %s\n", path);
    return result;
}
