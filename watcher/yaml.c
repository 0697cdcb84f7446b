/* watcher/yaml.c -- libyaml's tree, read by path. Follows no alias but as libyaml resolves it. Called by
 * kubeconfig.c, config_file.c. */
#include "watcher/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

char *file_read(const char *path, size_t most, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *data;
    size_t used = 0, room = 4096;
    ssize_t n = -1;

    if (fd < 0)
        return NULL;
    data = x_malloc(room + 1);
    while (used <= most && (n = read(fd, data + used, room - used)) > 0) {
        used += (size_t)n;
        if (used == room) {
            room *= 2;
            data = x_realloc(data, room + 1);
        }
    }
    int saved = used > most ? EFBIG : errno;
    close(fd);
    if (n < 0 || used > most) {
        free(data);
        errno = saved;
        return NULL;
    }
    data[used] = '\0';
    *len = used;
    return data;
}

int yaml_read(struct yaml_file *file, const char *text, size_t len, char *error, size_t error_size)
{
    yaml_parser_t parser;

    *file = (struct yaml_file){.open = false};
    if (!yaml_parser_initialize(&parser)) {
        snprintf(error, error_size, "no memory for the parser");
        return -1;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    file->open = yaml_parser_load(&parser, &file->document);
    if (!file->open)
        snprintf(error, error_size, "line %zu: %s", parser.problem_mark.line + 1,
                 parser.problem ? parser.problem : "it is no YAML");
    yaml_parser_delete(&parser);
    return file->open ? 0 : -1;
}

void yaml_close(struct yaml_file *file)
{
    if (file->open)
        yaml_document_delete(&file->document);
    file->open = false;
}

const yaml_node_t *yaml_root(struct yaml_file *file)
{
    return file->open ? yaml_document_get_root_node(&file->document) : NULL;
}

const yaml_node_t *yaml_get(struct yaml_file *file, const yaml_node_t *node, const char *key)
{
    if (!node || node->type != YAML_MAPPING_NODE)
        return NULL;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
         pair++) {
        const yaml_node_t *name = yaml_document_get_node(&file->document, pair->key);

        if (name && name->type == YAML_SCALAR_NODE && !strcmp((const char *)name->data.scalar.value, key))
            return yaml_document_get_node(&file->document, pair->value);
    }
    return NULL;
}

const char *yaml_key(struct yaml_file *file, const yaml_node_t *node, size_t i, const yaml_node_t **value)
{
    if (!node || node->type != YAML_MAPPING_NODE ||
        i >= (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start))
        return NULL;
    const yaml_node_pair_t *pair = &node->data.mapping.pairs.start[i];

    if (value)
        *value = yaml_document_get_node(&file->document, pair->value);
    return yaml_text(yaml_document_get_node(&file->document, pair->key));
}

const yaml_node_t *yaml_item(struct yaml_file *file, const yaml_node_t *node, size_t i)
{
    if (!node || node->type != YAML_SEQUENCE_NODE ||
        i >= (size_t)(node->data.sequence.items.top - node->data.sequence.items.start))
        return NULL;
    return yaml_document_get_node(&file->document, node->data.sequence.items.start[i]);
}

const char *yaml_text(const yaml_node_t *node)
{
    const char *text;

    if (!node || node->type != YAML_SCALAR_NODE)
        return "";
    text = (const char *)node->data.scalar.value;
    if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && (!strcmp(text, "null") || !strcmp(text, "~")))
        return "";
    return text;
}

bool yaml_true(const yaml_node_t *node)
{
    return !strcmp(yaml_text(node), "true");
}
