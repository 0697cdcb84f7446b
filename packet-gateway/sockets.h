/* packet-gateway/sockets.h -- the sockets under libcurl's connections: how they are opened, and whether an
 * idle one is still fit for a request. Never reads from one. Private to the shell; used by http.c and
 * transfer.c. */
#ifndef PACKET_GATEWAY_SOCKETS_H
#define PACKET_GATEWAY_SOCKETS_H

#include <curl/curl.h>
#include <stdbool.h>

struct sockets;

struct sockets *sockets_new(void);
/* After curl_multi_cleanup(): until then libcurl still closes sockets through it. */
void sockets_free(struct sockets *sockets);

/* From now on this handle's sockets are known here. */
void sockets_attach(struct sockets *sockets, CURL *easy);
/* Called when `easy` has been given a connection that was used before, by the port at our end: has the peer
 * closed it, or said something that nobody asked for? Then the next answer on it could be anybody's. */
bool sockets_unfit(struct sockets *sockets, CURL *easy, int local_port);

#endif
