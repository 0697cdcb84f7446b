/* proto/endpoint.h -- the socket files of the runtime directory, as both kinds of listeners make them
 * (bus.c, dialog.c). No state. */
#ifndef PROTO_ENDPOINT_H
#define PROTO_ENDPOINT_H

#define ENDPOINT_MODE 0600

/* Makes room for a socket at path: an old one is removed, as its owner is dead. Only ever a socket: a wrong
 * directory must not cost anybody a file. Returns 0, or -1 with errno (EEXIST: something else is there). */
int endpoint_clear(const char *path);

#endif
