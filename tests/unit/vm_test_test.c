/* Every relation on every kind of value, through the compiler: what holds, what does not, what is undecided. */
#include <stdio.h>

#include "tests/support/check.h"
#include "tests/support/judged.h"

static const char mail[] = "Received: from x by y; Mon, 23 Nov 2026 12:00:00 +0000\n"
                           "Message-ID: <abc@x.example>\n"
                           "From: =?utf-8?q?J=C3=B6rg_M=C3=BCller?= <Joerg@Sales.Partner.Example>\n"
                           "To: all@corp.example, Eve <eve@b\xc3\xbc"
                           "cher.example>\n"
                           "Cc: one@a.example, two@b.example, three@c.example\n"
                           "Reply-To: joerg@sales.partner.example\n"
                           "Subject: =?iso-8859-1?q?Re=3A_the_TOP?=\n =?iso-8859-1?q?_SECRET___plan?= for STRASSE 7\n"
                           "X-Tag: alpha\nX-Tag: Beta two\nX-Empty:\n"
                           "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
                           "\n"
                           "One card: 4111. Two cards: 4111-4111.\nSecretary, not secret-keeper.\n";

static void texts(void **state)
{
    (void)state;
    static const struct judged_row rows[] = {
        {"subject contains \"top secret\"", 'T'},
        {"subject contains \"TOP  SECRET plan\"", 'T'},
        {"subject contains \"secrets\"", 'F'},
        {"subject does not contain \"top secret\"", 'F'},
        {"subject contains \"stra\\u{df}e\"", 'T'},
        {"subject is \"re: the top secret plan for strasse 7\"", 'T'},
        {"subject is \"the top secret plan\"", 'F'},
        {"subject is not \"the top secret plan\"", 'T'},
        {"subject starts with \"re:\"", 'T'},
        {"subject ends with \"7\"", 'T'},
        {"subject ends with any of (\"8\", \"7\")", 'T'},
        {"subject does not start with \"the\"", 'T'},
        {"subject is like \"re: * plan*\"", 'T'},
        {"subject is like \"the*\"", 'F'},
        {"subject is like any of (\"x*\", \"*strasse ?\")", 'T'},
        {"subject is any of (\"x\", \"re: the top secret plan for strasse 7\")", 'T'},
        {"subject matches /secret\\s+plan/", 'T'},
        {"subject matches /secret plan/c", 'F'},
        {"subject matches /SECRET/c", 'T'},
        {"subject matches any of (/nothing/, /plan/)", 'T'},
        {"subject matches all of (/nothing/, /plan/)", 'F'},
        {"subject is present", 'T'},
        {"subject is absent", 'F'},
        {"message_id is \"<abc@x.example>\"", 'T'},
        {"body contains word \"secret\"", 'T'},
        {"body contains word \"card\"", 'T'},
        {"body contains word \"cards:\"", 'T'},
        {"body contains word \"keep\"", 'F'},
        {"body contains at least 3 \"4111\"", 'T'},
        {"body contains at least 4 \"4111\"", 'F'},
        {"body contains between 1 and 2 \"4111\"", 'F'},
        {"body contains between 3 and 4 \"4111\"", 'T'},
        {"body contains any of (\"nothing\", \"secretary\")", 'T'},
        {"body contains all of (\"nothing\", \"secretary\")", 'F'},
        {"body contains all of (\"cards\", \"secretary\")", 'T'},
        {"body contains at least 2 of (\"nothing\", \"secretary\", \"cards\")", 'T'},
        {"body contains at least 3 of (\"nothing\", \"secretary\", \"cards\")", 'F'},
        {"body contains any word of (\"secretar\", \"keepe\")", 'F'},
        {"subject or body contains \"keeper\"", 'T'},
        {"subject and body contains \"keeper\"", 'F'},
    };
    HOLD(rows, mail, NULL);
}

static void addresses(void **state)
{
    (void)state;
    static const struct judged_row rows[] = {
        {"from is \"joerg@sales.partner.example\"", 'T'},
        {"from is \"@sales.partner.example\"", 'T'},
        {"from is \"@partner.example\"", 'F'},
        {"from.domain is \"*.partner.example\"", 'T'},
        {"from.domain is \"partner.example\"", 'F'},
        {"from.domain is like \"sales.*\"", 'T'},
        {"from.domain ends with \"partner.example\"", 'T'},
        {"from.local is \"joerg\"", 'T'},
        {"from.name is \"j\\u{f6}rg m\\u{fc}ller\"", 'T'},
        {"from contains \"m\\u{fc}ller <joerg\"", 'T'},
        {"from is like \"*@sales.partner.example\"", 'T'},
        {"from.domain is in (\"a.example\", \"b.example\", \"c.example\", \"d.example\", \"e.example\", \"f.example\","
         " \"g.example\", \"h.example\", \"*.partner.example\")",
         'T'},
        {"from is in (\"1@x.example\", \"2@x.example\", \"3@x.example\", \"4@x.example\", \"5@x.example\", "
         "\"6@x.example\","
         " \"7@x.example\", \"8@x.example\", \"@sales.partner.example\")",
         'T'},
        {"to.domain is \"b\\u{fc}cher.example\"", 'T'},
        {"to.domain is \"xn--bcher-kva.example\"", 'T'},
        {"to.domain is like \"b\\u{fc}*\"", 'T'},
        {"to is \"all@corp.example\"", 'T'},
        {"every to is \"all@corp.example\"", 'F'},
        {"any to is not \"all@corp.example\"", 'T'},
        {"no to is \"all@corp.example\"", 'F'},
        {"no cc.domain is \"corp.example\"", 'T'},
        {"every cc.domain is in (\"a.example\", \"b.example\", \"c.example\")", 'T'},
        {"any cc where (cc.domain is \"a.example\" and cc.local is \"two\")", 'F'},
        {"any cc where (cc.domain is \"b.example\" and cc.local is \"two\")", 'T'},
        {"every cc where (cc.domain is not \"d.example\")", 'T'},
        {"no cc where (cc.domain is \"d.example\" or cc.local is \"three\")", 'F'},
        {"to is present", 'T'},
        {"reply_to is \"joerg@sales.partner.example\"", 'T'},
        {"any reply_to.domain is not from.domain", 'F'},
        {"every reply_to is from", 'T'},
        {"sender is \"a@corp.example\"", 'T'},
        {"sender.domain is not \"x.example\"", 'T'},
        {"recipient.domain is \"partner.example\"", 'T'},
    };
    HOLD(rows, mail, NULL);
}

static void headers(void **state)
{
    (void)state;
    static const struct judged_row rows[] = {
        {"header \"x-tag\" is \"beta TWO\"", 'T'},
        {"every header \"X-Tag\" is \"alpha\"", 'F'},
        {"header \"X-Empty\" is present", 'T'},
        {"header \"X-None\" is present", 'F'},
        {"header \"X-None\" is absent", 'T'},
        {"header \"X-None\" contains \"a\"", 'F'},
        {"any header \"X-None\" does not contain \"a\"", 'F'},
        {"every header \"X-None\" does not contain \"a\"", 'F'},
        {"no header \"X-None\" contains \"a\"", 'T'},
    };
    HOLD(rows, mail, NULL);
}

static void facts_of_the_client(void **state)
{
    (void)state;
    static const struct judged_row rows[] = {
        {"client.ip is in 192.0.2.0/24", 'T'},
        {"client.ip is 192.0.2.7", 'T'},
        {"client.ip is in 192.0.2.8-192.0.2.9", 'F'},
        {"client.ip is in (10.0.0.0/8, 192.0.2.0/29)", 'T'},
        {"client.helo is like \"*.example\"", 'T'},
        {"authenticated", 'F'},
        {"not encrypted", 'T'},
        {"recipient_count is over 0", 'T'},
        {"recipient_count is under 1", 'F'},
        {"recipient_count is between 1 and 3", 'T'},
        {"recipient_count is at most 1", 'T'},
        {"recipient_count is 1", 'T'},
        {"size is over 10 KB", 'F'},
        {"size is at least 1 KB", 'F'},
        {"sender.scope is outside", 'T'}, /* its domain is ours, the client is not */
        {"direction is relay", 'T'},
        {"recipient.scope is outside", 'T'},
    };
    HOLD(rows, mail, NULL);
    static const struct judged_row ours[] = {
        {"sender.scope is inside", 'T'},
        {"direction is outbound", 'T'},
        {"authenticated", 'T'},
        {"encrypted", 'T'},
    };
    struct judged_case trusted = {
        .client = {.ip = STR("2001:db8::1"), .user = STR("a"), .tls_version = STR("TLSv1.3")}};
    HOLD(ours, mail, &trusted);
}

static void scopes(void **state)
{
    (void)state;
    static struct str internal[] = {{"corp.example", 12}, {"*.corp.example", 14}},
                      partners[] = {{"partner.example", 15}};
    static struct connector_settings out[] = {{.tls = CONNECTOR_TLS_VERIFIED, .domains = {partners, 1}}};
    static const struct settings s = {.internal = {internal, 2}, .connectors = out, .connector_count = 1};
    struct judged_case c = {
        .settings = &s, .client = {.ip = STR("192.0.2.7"), .trusted = true}, .from = "x@sub.corp.example"};
    static const struct judged_row partner[] = {
        {"recipient.scope is partner", 'T'},
        {"recipient.scope is outside", 'T'},
        {"recipient.scope is inside", 'F'},
        {"sender.scope is inside", 'T'},
    };
    HOLD(partner, mail, &c);
    c.to[0] = "b@Sub.CORP.example";
    static const struct judged_row inside[] = {{"recipient.scope is inside", 'T'}, {"direction is internal", 'T'}};
    HOLD(inside, mail, &c);
    c.from = "";
    static const struct judged_row bounce[] = {
        {"sender is present", 'F'},
        {"sender.domain is not \"corp.example\"", 'T'},
        {"sender.domain is \"corp.example\"", 'F'},
        {"direction is inbound", 'T'},
    };
    HOLD(bounce, mail, &c);
}

static void undecided(void **state)
{
    (void)state;
    static const char unread[] = "Subject: one\nSubject: two\nFrom: x\nMIME-Version: 1.0\n"
                                 "Content-Type: text/plain; charset=x-unheard-of\n\nwords we know\n";
    static const struct judged_row rows[] = {
        {"subject contains \"one\"", 'A'},
        {"subject does not contain \"one\"", 'A'},
        {"subject contains \"three\"", 'F'},
        {"subject contains any of (\"one\", \"two\")", 'T'},
        {"body contains \"words we know\"", 'T'},
        {"body contains \"other\"", 'U'},
        {"body does not contain \"other\"", 'U'},
        {"body matches /other/", 'U'},
        {"body contains at least 2 \"words\"", 'U'},
        {"body contains between 1 and 5 \"words\"", 'U'},
        {"subject contains \"one\" and body contains \"other\"", 'U'},
        {"subject contains \"three\" and body contains \"other\"", 'F'},
        {"body contains \"other\" or body contains \"words\"", 'T'},
        {"message_id is absent", 'T'},
        {"from.domain is \"x.example\"", 'F'},
    };
    HOLD(rows, unread, NULL);
}

static void a_forged_duplicate_earns_nothing(void **state)
{
    (void)state;
    static const char forged[] =
        "From: evil@x.example\nFrom: ceo@corp.example\nTo: a@b.example\nReply-To: ceo@corp.example\n\nx\n";
    static const struct judged_row rows[] = {
        {"from is \"ceo@corp.example\"", 'A'},
        {"from.domain is \"corp.example\"", 'A'},
        {"any from.domain is not \"corp.example\"", 'A'},
        {"every from.domain is \"corp.example\"", 'A'},
        {"every from.domain ends with \"example\"", 'T'},
        {"no from.domain is \"x.example\"", 'A'},
        {"from is \"nobody@q.example\"", 'F'},
        {"no from is \"nobody@q.example\"", 'T'},
        {"any from where (from.local is \"ceo\" and from.domain is \"corp.example\")", 'A'},
        {"any reply_to is not from", 'A'},
        {"any from where (from.domain ends with \"example\" and from.local is any of (\"evil\", \"ceo\"))", 'T'},
        {"from.domain is any of (\"x.example\", \"corp.example\")", 'T'},
        {"from.domain ends with \"example\"", 'T'},
        {"every from.local is \"ceo\"", 'A'},
        {"no from where (from.local is \"ceo\")", 'A'},
        {"no from where (from.local is \"nobody\")", 'T'},
        {"reply_to.domain is from.domain", 'A'},
        {"from is present", 'T'},
    };
    HOLD(rows, forged, NULL);
    static const struct judged_row empty[] = {
        {"from is present", 'A'},
        {"from.domain is \"corp.example\"", 'A'},
        {"every from.domain is \"corp.example\"", 'A'},
        {"no from.domain is \"x.example\"", 'T'},
        {"subject contains \"word\"", 'T'},
        {"subject contains \"first\"", 'A'},
    };
    HOLD(empty, "From: ceo@corp.example\nFrom:\nSubject: first word\nSubject: second word\n\nx\n", NULL);
}

static void empty_is_absent(void **state)
{
    (void)state;
    static const struct judged_row rows[] = {
        {"subject is absent", 'T'}, {"subject is like \"*\"", 'F'}, {"subject is not \"x\"", 'T'},
        {"body is absent", 'T'},    {"from is absent", 'T'},        {"any to is not from", 'T'},
    };
    HOLD(rows, "Subject: \nTo: a@b.example\n\n", NULL);
    static const struct judged_row blanks[] = {{"header \"X-Empty\" is body", 'F'}, {"body is present", 'T'}};
    HOLD(blanks, "X-Empty: \n\n \n", NULL); /* nothing on the left is not the same as blanks on the right */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),           cmocka_unit_test(addresses),
        cmocka_unit_test(headers),         cmocka_unit_test(facts_of_the_client),
        cmocka_unit_test(scopes),          cmocka_unit_test(undecided),
        cmocka_unit_test(empty_is_absent), cmocka_unit_test(a_forged_duplicate_earns_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
