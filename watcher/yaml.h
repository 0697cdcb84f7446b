/* watcher/yaml.h -- a YAML or JSON file as a tree, and the few questions we ask of it. Owns the document;
 * file limits are named here. Called by kubeconfig.c,
 * impersonate.c, config_file.c. */
#ifndef WATCHER_YAML_H
#define WATCHER_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#define YAML_FILE_MAX (1024u * 1024u)

struct yaml_file {
    yaml_document_t document;
    bool open;
};

/* Reads a whole file of at most `most` bytes; a NUL is added. Returns it (caller frees) or NULL with errno;
 * EFBIG when it is longer. */
char *file_read(const char *path, size_t most, size_t *len);

/* Parses text; an empty one gives an empty document. Returns 0, or -1 with a sentence in error. Close in both
 * cases. */
int yaml_read(struct yaml_file *file, const char *text, size_t len, char *error, size_t error_size);
void yaml_close(struct yaml_file *file);

/* NULL when the document is empty. */
const yaml_node_t *yaml_root(struct yaml_file *file);
/* The value of a mapping's key, or NULL; also when node is NULL or no mapping. */
const yaml_node_t *yaml_get(struct yaml_file *file, const yaml_node_t *node, const char *key);
/* The i-th key of a mapping, borrowed, and its value if asked for; NULL after the last. A key that is no
 * scalar is "". */
const char *yaml_key(struct yaml_file *file, const yaml_node_t *node, size_t i, const yaml_node_t **value);
/* The i-th item of a sequence, or NULL. */
const yaml_node_t *yaml_item(struct yaml_file *file, const yaml_node_t *node, size_t i);
/* The text of a scalar, "" for NULL, for null and for anything else. Borrowed. */
const char *yaml_text(const yaml_node_t *node);
bool yaml_true(const yaml_node_t *node);

#endif
