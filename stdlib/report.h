/* stdlib/report: what an incident report says (incident_report): its words, and the text they ask for.
 *
 * Private to stdlib/, but for report_notice, which the vocabulary hands to the machine.  Everything foreign in the text
 * is one line behind a word of ours, so nothing that a message says can pass for what the report says. */
#ifndef SLUICE_STDLIB_REPORT_H
#define SLUICE_STDLIB_REPORT_H

#include "vm/judgement.h"

enum report_content {
    REPORT_SENDER = 1,
    REPORT_RECIPIENTS = 2,
    REPORT_SUBJECT = 4,
    REPORT_CC = 8,
    REPORT_BCC = 16,
    REPORT_SEVERITY = 32,
    REPORT_OVERRIDE = 64,
    REPORT_RULES = 128,
    REPORT_DETECTORS = 256,
    REPORT_EXCERPTS = 512,
    REPORT_HEADERS = 1024,
    REPORT_ORIGINAL = 2048,
    REPORT_USUAL = REPORT_EXCERPTS - 1 /* without `contents` */
};

uint32_t report_word(struct str word); /* 0: no such */
void report_write(struct judgement *j, const struct planned_report *r, struct verdict_notice *out);
/* With whom it goes to and what it is about: a vocabulary's report_writer. */
void report_notice(struct judgement *j, const struct planned_report *r, struct verdict_notice *out);

#endif
