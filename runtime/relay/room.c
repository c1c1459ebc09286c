/* The line of sessions that wait with DATA until there is room in memory, in the order in which they came. */
#include "relay/session.h"

void session_leave_room(struct session *s)
{
    struct receive *rc = s->relay->receive;
    if (!s->wants_room) return;
    s->wants_room = false;
    struct session *before = NULL;
    for (struct session *at = rc->room_first; at; before = at, at = at->room_next) {
        if (at != s) continue;
        if (before)
            before->room_next = s->room_next;
        else
            rc->room_first = s->room_next;
        if (rc->room_last == s) rc->room_last = before;
        break;
    }
    s->room_next = NULL;
}

void session_wait_for_room(struct session *s)
{
    struct receive *rc = s->relay->receive;
    s->wants_room = true;
    s->room_next = NULL;
    if (rc->room_last)
        rc->room_last->room_next = s;
    else
        rc->room_first = s;
    rc->room_last = s;
}
