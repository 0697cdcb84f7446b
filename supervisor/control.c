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

/* Only the watcher knows; the client waits, we do not. */
static void on_ask_explain(struct supervisor *s, struct client *client, const struct msg_ask_explain *asked)
{
    const struct msg_explain explain = {.question = ++s->questions, .key = asked->key};

    if (tree_tell_watcher(s->tree, MSG_EXPLAIN, &explain))
        client->question = explain.question;
    else
        clients_answer(client, MSG_EXPLANATION,
                       &(struct msg_explanation){.refused = SPAN("no watcher is at work; packetctl status")});
}

void control_explained(struct supervisor *s, const struct msg_explained *said)
{
    struct client *client = clients_waiting(s, said->question);

    if (!client)
        return;
    client->question = 0;
    clients_answer(client, MSG_EXPLANATION, &(struct msg_explanation){.answer = said->answer});
}

void control_take(struct supervisor *s, struct client *client, const struct message *message)
{
    if (message->spec->id == MSG_ASK_STATUS)
        on_ask_status(s, client);
    else if (message->spec->id == MSG_ASK_QUARANTINE)
        on_ask_quarantine(s, client);
    else if (message->spec->id == MSG_ASK_EXPLAIN)
        on_ask_explain(s, client, &message->body.ask_explain);
    else
        orders_take(s, client, message);
}
