/* supervisor/control.c -- what packetctl wants to know, and the answers; what it wants to be done is in
 * orders.c. Access comes from the mode of the socket and its directory. Called by clients.c. */
#include "supervisor/supervisor.h"

static void on_ask_status(struct supervisor *s, struct client *client)
{
    struct status_answer status;

    status_make(s, &status);
    clients_answer(client, MSG_STATUS, &status.body);
    status_free(&status);
}

static void on_ask_quarantine(struct supervisor *s, struct client *client)
{
    struct pack objects;

    pack_open(&objects);
    status_pack_suspects(s, &objects);
    clients_answer(client, MSG_QUARANTINE, &(struct msg_quarantine){.objects = pack_result(&objects)});
    pack_close(&objects);
}

void control_take(struct supervisor *s, struct client *client, const struct message *message)
{
    if (message->spec->id == MSG_ASK_STATUS)
        on_ask_status(s, client);
    else if (message->spec->id == MSG_ASK_QUARANTINE)
        on_ask_quarantine(s, client);
    else
        orders_take(s, client, message);
}
