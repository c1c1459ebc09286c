/* judge/serve: the loop of a judge process: recvmsg, judge, sendmsg, nothing else; between two requests a live list.
 *
 * Runs after the last filter: it opens nothing and makes no code.  Content comes inside the request, or as a read-only
 * descriptor which is mapped for the time of one judgement. */
#ifndef SLUICE_JUDGE_SERVE_H
#define SLUICE_JUDGE_SERVE_H

#include "judge/judge.h"

/* Serves requests until the other side closes.  Answers the exit status: 0 at EOF, EX_DATAERR for a datagram that is no
 * request (the relay and the judge are then not of one build), EX_IOERR when the channel fails, and 0 as well when the
 * judge has served its share and wants to be replaced (SERVE_MESSAGES_MAX). */
enum { SERVE_MESSAGES_MAX = 10000 };
int judge_serve(struct judge *j, int channel);

#endif
