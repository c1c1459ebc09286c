/* The grammar of the rule language (LANGUAGE section 1): LALR(1), no conflicts, no precedence declarations.
 *
 * Actions only build the tree (grammar/build.c); they judge nothing but what the shape itself forbids.  What words mean
 * and how ellipsis reads is decided later.  After an error the lexer skips to the next item (grammar/parse.c), so the
 * token after `error` always begins an item or ends the file, and errors may be told again at once. */
%code requires {
#include "grammar/parse.h"
}
%define api.pure full
%define api.prefix {sl_}
%define api.token.prefix {SL_}
%define api.location.type {struct span}
%define api.value.type union
%define parse.error custom
%define parse.lac full
%locations
%expect 0
%param {struct parse *p}
%code provides {
int sl_lex(SL_STYPE *value, SL_LTYPE *at, struct parse *p);
void sl_error(const SL_LTYPE *at, struct parse *p, const char *message);
}
%code {
#include "grammar/syntax.h"

#define YYMAXDEPTH 2000
#define YYLLOC_DEFAULT(Current, Rhs, N)                                                    \
    do {                                                                                   \
        if (N) (Current) = span_join(YYRHSLOC(Rhs, 1), YYRHSLOC(Rhs, N));                  \
        else (Current) = (struct span){YYRHSLOC(Rhs, 0).source, YYRHSLOC(Rhs, 0).to, YYRHSLOC(Rhs, 0).to}; \
    } while (0)
}
%initial-action { @$ = (struct span){p->source->number, 0, 0}; }

%token RULE "rule" LIST "list" DEFINE "define" IMPORT "import" TEST "test" DEFAULTS "defaults"
%token WHEN "when" UNLESS "unless" THEN "then" ALWAYS "always" GIVEN "given" EXPECT "expect"
%token OF "of" AS "as" WHERE "where" AND "and" OR "or" NOT "not" ANY "any" EVERY "every" NO "no" ALL "all"
%token IS "is" IN_ "in" LIKE "like" CONTAINS "contains" CONTAIN "contain" MATCHES "matches" MATCH "match" DOES "does"
%token STARTS "starts" START "start" ENDS "ends" END_ "end" WITH "with" WORD "word"
%token OVER "over" UNDER "under" AT "at" LEAST "least" MOST "most" BETWEEN "between"
%token PRESENT "present" ABSENT "absent" BEFORE "before" AFTER "after"
%token LPAREN "(" RPAREN ")" COMMA "," DOT "." EQUALS "="
%token <struct str> NAME "a name" KIND "a declaration"
%token <struct ast_literal *> TEXT "a quoted text" REGEX "a /pattern/" NUMBER "a number"
%token <struct ast_literal *> SIZE "a size" DURATION "a duration" DATE "a date" CLOCK "a time of day"
%token <struct ast_literal *> NETWORK "an address range"
%token BAD "an unreadable character"
%token END 0 "the end of the file"

%type <struct ast_item *> item source rule
%type <struct value_list> elements values
%type <struct ast_value *> element value
%type <struct argument_list> arguments entry details
%type <struct ast_argument *> argument detail
%type <struct entry_list> group
%type <struct path> path dotted
%type <struct ast_rule> header
%type <struct ast_condition *> premise
%type <struct condition_list> unlesses
%type <struct ast_chain *> condition
%type <struct operand *> operand
%type <struct ast_field *> subject field
%type <enum ast_quantifier> quantifier
%type <struct ast_verb *> verb relation needle countable affix pattern
%type <enum ast_many> many
%type <struct ast_set *> set
%type <struct action_list> actions
%type <struct ast_action *> action
%type <struct fact_list> givens facts
%type <struct ast_fact *> fact
%type <struct ast_literal *> literal
%%
file       : items ;
items      : %empty
           | items item { build_item_done(p, $item); }
           | items error { build_broken_item(p); if (p->resync) yyclearin; yyerrok; }
           ;
item       : IMPORT TEXT { $$ = build_item(p, ITEM_IMPORT, @$); $$->text = $TEXT; }
           | DEFAULTS arguments { $$ = build_item(p, ITEM_DEFAULTS, @$); $$->arguments = $arguments.first; }
           | LIST NAME { build_pending(p, $2, @2); } OF NAME[type] source {
                 $$ = $source; $$->span = @$; $$->name = $2; $$->name_span = @2;
                 $$->element_type = $type; $$->element_type_span = @type; }
           | DEFINE NAME { build_pending(p, $2, @2); } AS condition {
                 $$ = build_item(p, ITEM_DEFINE, @$); $$->name = $2; $$->name_span = @2;
                 $$->condition = build_condition(p, $condition); }
           | rule
           | TEST TEXT givens EXPECT actions {
                 $$ = build_item(p, ITEM_TEST, @$); $$->text = $TEXT;
                 $$->facts = $givens.first; $$->expect = $actions.first; }
           | KIND arguments {
                 $$ = build_item(p, ITEM_DECLARATION, @$); $$->name = $KIND; $$->name_span = @KIND;
                 $$->arguments = $arguments.first; }
           ;
source     : EQUALS elements { $$ = build_item(p, ITEM_LIST, @$); $$->elements = $elements.first; }
           | EQUALS LPAREN elements comma RPAREN { $$ = build_item(p, ITEM_LIST, @$); $$->elements = $elements.first; }
           | IN_ NAME TEXT {
                 $$ = build_item(p, ITEM_LIST, @$); $$->origin = $NAME; $$->origin_span = @NAME; $$->text = $TEXT; }
           ;
elements   : element { $$ = (struct value_list){$1, $1}; }
           | elements COMMA element { $$ = $1; PARSE_APPEND(&$$, $3); }
           ;
element    : literal { $$ = build_value(p, $1, NULL, @$); }
           | NAME {
                 struct path path = build_path(p, $1, @1);
                 $$ = build_value(p, NULL, build_field(p, &path, NULL, @$), @$); }
           ;
comma      : %empty | COMMA ;

arguments  : %empty { $$ = (struct argument_list){NULL, NULL}; }
           | arguments argument { $$ = $1; PARSE_APPEND(&$$, $2); }
           ;
argument   : literal { $$ = build_argument(p, ARGUMENT_LITERAL, @$); $$->literal = $1; }
           | dotted { $$ = build_argument(p, ARGUMENT_NAME, @$); $$->name = build_path_name(p, &$1); }
           | NO { $$ = build_argument(p, ARGUMENT_NO, @$); }
           | LPAREN group comma RPAREN { $$ = build_argument(p, ARGUMENT_GROUP, @$); $$->entries = $group.first; }
           ;
group      : entry { struct ast_entry *e = build_entry(p, $1.first, @1); $$ = (struct entry_list){e, e}; }
           | group COMMA entry { struct ast_entry *e = build_entry(p, $3.first, @3); $$ = $1; PARSE_APPEND(&$$, e); }
           ;
entry      : argument { $$ = (struct argument_list){$1, $1}; }
           | entry argument { $$ = $1; PARSE_APPEND(&$$, $2); }
           ;
dotted     : NAME { $$ = build_path(p, $1, @1); }
           | dotted DOT NAME { $$ = $1; build_path_add(p, &$$, $3, @3); }
           ;

rule       : header when premise unlesses[before] THEN actions unlesses[after] {
                 $$ = build_item(p, ITEM_RULE, @$);
                 $$->rule = $header;
                 $$->rule.when = $premise;
                 $$->rule.unless = $before.first ? $before.first : $after.first;
                 if ($before.last) $before.last->next = $after.first;
                 $$->rule.actions = $actions.first; }
           ;
when       : WHEN { yyerrok; } ;
header     : %empty { $$ = (struct ast_rule){0}; }
           | RULE TEXT arguments { $$ = (struct ast_rule){.name = $TEXT, .options = $arguments.first}; }
           ;
premise    : condition { $$ = build_condition(p, $1); }
           | ALWAYS { $$ = build_always(p, @$); }
           ;
unlesses   : %empty { $$ = (struct condition_list){NULL, NULL}; }
           | unlesses UNLESS condition {
                 struct ast_condition *c = build_condition(p, $3); $$ = $1; PARSE_APPEND(&$$, c); }
           ;

condition  : operand { $$ = build_chain(p, $1); } /* a flat chain: mixing is judged after runs are folded */
           | condition OR operand { $$ = $1; build_chain_add($$, $3, true, @2); }
           | condition AND operand { $$ = $1; build_chain_add($$, $3, false, @2); }
           ;
operand    : NOT operand[inner] { $$ = build_operand(p, OPERAND_NOT, @$); build_operand_not(p, $$, $inner, @1); }
           | subject { $$ = build_operand(p, OPERAND_FIELD, @$); $$->field = $1; }
           | subject verb { $$ = build_operand(p, OPERAND_FIELD, @$); $$->field = $1; $$->verb = $2; $2->span = @2; }
           | quantifier NAME WHERE LPAREN condition RPAREN {
                 $$ = build_operand(p, OPERAND_WHERE, @$); $$->quantifier = $1; $$->name = $NAME; $$->name_span = @NAME;
                 build_operand_chain(p, $$, $condition); }
           | LPAREN condition RPAREN { $$ = build_operand(p, OPERAND_GROUP, @$); build_operand_chain(p, $$, $2); }
           | LPAREN condition RPAREN verb { /* (subject or body) contains "x" */
                 $$ = build_operand(p, OPERAND_GROUP, @$); build_operand_chain(p, $$, $2);
                 $$->verb = $4; $4->span = @4; }
           | verb { $$ = build_operand(p, OPERAND_VERB, @$); $$->verb = $1; $1->span = @1; }
           | literal { $$ = build_operand(p, OPERAND_LITERAL, @$); $$->literal = $1; }
           ;
subject    : field
           | quantifier field { $$ = $2; $$->quantifier = $1; $$->span = @$; }
           ;
quantifier : ANY { $$ = QUANTIFIER_ANY; } | EVERY { $$ = QUANTIFIER_EVERY; } | NO { $$ = QUANTIFIER_NO; } ;
field      : path { $$ = build_field(p, &$1, NULL, @$); }
           | path TEXT { $$ = build_field(p, &$1, $2, @$); }
           ;
path       : NAME { $$ = build_path(p, $1, @1); }
           | KIND { $$ = build_path(p, $1, @1); }
           | path DOT NAME { $$ = $1; build_path_add(p, &$$, $3, @3); }
           ;

verb       : IS relation { $$ = $2; }
           | IS NOT relation { $$ = $3; $$->negated = true; }
           | CONTAINS needle { $$ = $2; }
           | DOES NOT CONTAIN needle { $$ = $4; $$->negated = true; }
           | MATCHES pattern { $$ = $2; }
           | DOES NOT MATCH pattern { $$ = $4; $$->negated = true; }
           | STARTS WITH affix { $$ = $3; $$->kind = VERB_STARTS_WITH; }
           | DOES NOT START WITH affix { $$ = $5; $$->kind = VERB_STARTS_WITH; $$->negated = true; }
           | ENDS WITH affix { $$ = $3; $$->kind = VERB_ENDS_WITH; }
           | DOES NOT END_ WITH affix { $$ = $5; $$->kind = VERB_ENDS_WITH; $$->negated = true; }
           ;
relation   : value { $$ = build_verb(p, VERB_IS); $$->value = $1; }
           | ANY OF set { $$ = build_verb(p, VERB_IS_ANY_OF); $$->set = $3; }
           | IN_ set { $$ = build_verb(p, VERB_IS_IN); $$->set = $2; }
           | LIKE affix { $$ = $2; $$->kind = VERB_IS_LIKE; }
           | PRESENT { $$ = build_verb(p, VERB_IS_PRESENT); }
           | ABSENT { $$ = build_verb(p, VERB_IS_ABSENT); }
           | OVER value { $$ = build_verb(p, VERB_IS_OVER); $$->value = $2; }
           | UNDER value { $$ = build_verb(p, VERB_IS_UNDER); $$->value = $2; }
           | AT LEAST value { $$ = build_verb(p, VERB_IS_AT_LEAST); $$->value = $3; }
           | AT MOST value { $$ = build_verb(p, VERB_IS_AT_MOST); $$->value = $3; }
           | BETWEEN value AND value { $$ = build_verb(p, VERB_IS_BETWEEN); $$->value = $2; $$->value2 = $4; }
           | BEFORE value { $$ = build_verb(p, VERB_IS_BEFORE); $$->value = $2; }
           | AFTER value { $$ = build_verb(p, VERB_IS_AFTER); $$->value = $2; }
           ;
needle     : countable
           | AT LEAST NUMBER countable { $$ = $4; build_count(p, $$, $3, NULL); }
           | BETWEEN NUMBER AND NUMBER countable { $$ = $5; build_count(p, $$, $2, $4); }
           | many OF set { $$ = build_verb(p, VERB_CONTAINS); $$->many = $1; $$->set = $3; }
           | many WORD OF set { $$ = build_verb(p, VERB_CONTAINS); $$->many = $1; $$->word = true; $$->set = $4; }
           | AT LEAST NUMBER OF set {
                 $$ = build_verb(p, VERB_CONTAINS); $$->set = $5; build_at_least(p, $$, $3); }
           | AT LEAST NUMBER WORD OF set {
                 $$ = build_verb(p, VERB_CONTAINS); $$->word = true; $$->set = $6; build_at_least(p, $$, $3); }
           ;
many       : ANY { $$ = MANY_ANY; } | ALL { $$ = MANY_ALL; } ;
countable  : TEXT { $$ = build_verb(p, VERB_CONTAINS); $$->value = build_value(p, $1, NULL, @1); }
           | WORD TEXT { $$ = build_verb(p, VERB_CONTAINS); $$->word = true; $$->value = build_value(p, $2, NULL, @2); }
           | NAME arguments { /* NAME: a detector */
                 $$ = build_verb(p, VERB_CONTAINS); $$->detector = $1; $$->detector_span = @1;
                 $$->arguments = $2.first; }
           ;
affix      : TEXT { $$ = build_verb(p, VERB_IS_LIKE); $$->value = build_value(p, $1, NULL, @1); }
           | ANY OF set { $$ = build_verb(p, VERB_IS_LIKE); $$->set = $3; }
           ;
pattern    : REGEX { $$ = build_verb(p, VERB_MATCHES); $$->value = build_value(p, $1, NULL, @1); }
           | many OF set { $$ = build_verb(p, VERB_MATCHES); $$->many = $1; $$->set = $3; }
           | TEXT { /* refused with a fix-it */
                 $$ = build_verb(p, VERB_MATCHES); $$->value = build_value(p, $1, NULL, @1);
                 build_pattern_text(p, $1); }
           ;
set        : field { $$ = build_set(p, build_value(p, NULL, $1, @1), false, @$); }
           | NETWORK { $$ = build_set(p, build_value(p, $1, NULL, @1), false, @$); }
           | LPAREN values comma RPAREN { $$ = build_set(p, $values.first, true, @$); }
           ;
values     : value { $$ = (struct value_list){$1, $1}; }
           | values COMMA value { $$ = $1; PARSE_APPEND(&$$, $3); }
           ;
value      : literal { $$ = build_value(p, $1, NULL, @$); }
           | field { $$ = build_value(p, NULL, $1, @$); }
           ;

actions    : action { $$ = (struct action_list){$1, $1}; }
           | actions separator action { $$ = $1; PARSE_APPEND(&$$, $3); }
           ;
separator  : COMMA | AND | COMMA AND ;
action     : NAME arguments { $$ = build_action(p, $1, @1, $2.first, @$); } ;
givens     : %empty { $$ = (struct fact_list){NULL, NULL}; }
           | givens GIVEN facts {
                 $$ = $1;
                 if ($$.last) $$.last->next = $3.first; else $$.first = $3.first;
                 $$.last = $3.last; }
           ;
facts      : fact { $$ = (struct fact_list){$1, $1}; }
           | facts COMMA fact { $$ = $1; PARSE_APPEND(&$$, $3); }
           ;
fact       : path details {
                 $$ = build_fact(p, &$1, false, @$);
                 $$->details = $2.first;
                 build_fact_absent($$); }
           | NOT path { $$ = build_fact(p, &$2, true, @$); }
           ;
details    : %empty { $$ = (struct argument_list){NULL, NULL}; }
           | details detail { $$ = $1; PARSE_APPEND(&$$, $2); }
           ;
detail     : argument
           | KIND { $$ = build_argument(p, ARGUMENT_NAME, @$); $$->name = $1; }
           | ABSENT { $$ = build_argument(p, ARGUMENT_NAME, @$); $$->name = STR("absent"); }
           ;
literal    : TEXT | REGEX | NUMBER | SIZE | DURATION | DATE | CLOCK | NETWORK ;
%%
static int yyreport_syntax_error(const yypcontext_t *context, struct parse *p)
{
    struct syntax_error error = {.at = *yypcontext_location(context)};
    yysymbol_kind_t kinds[YYNTOKENS];
    int n = yypcontext_expected_tokens(context, kinds, YYNTOKENS);
    if (n < 0) return n;
    for (int i = 0; i < n; i++)
        for (int token = SL_RULE; token < SL_RULE + SYNTAX_TOKENS && kinds[i] != YYSYMBOL_YYEOF; token++)
            if (YYTRANSLATE(token) == kinds[i]) error.expected[token - SL_RULE] = true;
    syntax_report(p, &error);
    return 0;
}
