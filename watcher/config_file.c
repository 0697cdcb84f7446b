/* watcher/config_file.c -- checks --config-file. Keeps nothing of it. Called by main.c. */
#include "watcher/config_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "watcher/yaml.h"

#define API_VERSION "packet.provider.extensions.config.gardener.cloud/v1alpha1"
#define KIND        "ControllerConfiguration"

static int check_root(struct yaml_file *file, const char *path, char *error, size_t error_size)
{
    const yaml_node_t *root = yaml_root(file);

    if (!root || (root->type == YAML_SCALAR_NODE && !*yaml_text(root)))
        return 0;
    const char *version = yaml_text(yaml_get(file, root, "apiVersion"));
    const char *kind = yaml_text(yaml_get(file, root, "kind"));
    if (root->type == YAML_MAPPING_NODE && !strcmp(version, API_VERSION) && !strcmp(kind, KIND))
        return 0;
    snprintf(error, error_size, "%s: apiVersion \"%.100s\", kind \"%.100s\" is not " API_VERSION " " KIND,
             path, version, kind);
    return -1;
}

int config_file_check(const char *path, char *error, size_t error_size)
{
    struct yaml_file file;
    char why[200] = "";
    size_t len = 0;
    char *text;

    if (!path || !*path) {
        snprintf(error, error_size, "config file path not set: give --config-file");
        return -1;
    }
    text = file_read(path, YAML_FILE_MAX, &len);
    if (!text) {
        snprintf(error, error_size, "cannot read the config file %s: %s", path, strerror(errno));
        return -1;
    }
    int rc = yaml_read(&file, text, len, why, sizeof why);
    if (rc)
        snprintf(error, error_size, "%s: %s", path, why);
    else
        rc = check_root(&file, path, error, error_size);
    yaml_close(&file);
    free(text);
    return rc;
}
