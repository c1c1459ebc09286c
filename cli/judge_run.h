/* cli/judge_run: what `sluice judge` has been told, for one message or for a folder of them. */
#ifndef SLUICE_CLI_JUDGE_RUN_H
#define SLUICE_CLI_JUDGE_RUN_H

#include "cli/cli.h"
#include "judge/judge.h"

enum { JUDGE_MAIL_MAX = 256 * 1024 * 1024 };

struct judge_options {
    const char *from, *client, *helo, *user, *tls, *listener, *coverage, *date, *time;
    struct strings to, lists;
    bool json;
};

struct judge_run {
    struct judge *judge;
    const struct program *p;
    const struct settings *settings;
    const struct judge_options *o;
};

/* Files on disk end lines with LF; on the wire they end with CR LF, and that is what the rules see. */
void judge_to_wire(struct str file, struct buf *out);
/* A request for a message of `size` bytes, now, with the client and as much of the envelope as was told; *status is
 * EX_USAGE when something told is wrong. */
bool judge_request_make(const struct judge_run *r, struct arena *a, uint64_t size, struct judge_request *out,
                        int *status);

/* `--coverage FOLDER`: how often each rule applied over all messages there. */
int judge_coverage(const struct judge_run *r);

#endif
