/* What GMime shows of messages: an oracle for message/ (tests/oracle/views_test.py), as a long-lived worker.
 *
 * Input: 4 bytes of length (big-endian), the message; again and again.  Output likewise: lines "subject HEX",
 * "part TYPE DISPOSITION HEX", "name HEX", texts as GMime converts them to UTF-8; with --fields also "field NAME HEX"
 * for each field of the message's header. */
#include <arpa/inet.h>
#include <gmime/gmime.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static GString *out;

static void add_hex(const char *what, const void *p, size_t n)
{
    g_string_append(out, what);
    for (size_t i = 0; i < n; i++) g_string_append_printf(out, "%02x", ((const unsigned char *)p)[i]);
    g_string_append_c(out, '\n');
}

static void add_text(GMimePart *part, const char *type)
{
    const char *disposition = g_mime_object_get_disposition(GMIME_OBJECT(part));
    GMimeDataWrapper *content = g_mime_part_get_content(part);
    GMimeStream *memory = g_mime_stream_mem_new();
    GByteArray *bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(memory));
    if (content) g_mime_data_wrapper_write_to_stream(content, memory);
    const char *charset = g_mime_object_get_content_type_parameter(GMIME_OBJECT(part), "charset");
    g_string_append_printf(out, "part %s %s ", type,
                           disposition && !g_ascii_strcasecmp(disposition, "attachment") ? "attachment" : "inline");
    char *utf8 = NULL;
    size_t n = bytes->len;
    if (charset) {
        GMimeStream *converted = g_mime_stream_mem_new();
        GMimeStream *filtered = g_mime_stream_filter_new(converted);
        GMimeFilter *filter = g_mime_filter_charset_new(charset, "utf-8");
        if (filter) {
            g_mime_stream_filter_add(GMIME_STREAM_FILTER(filtered), filter);
            g_object_unref(filter);
            if (bytes->len) g_mime_stream_write(filtered, (const char *)bytes->data, bytes->len);
            g_mime_stream_flush(filtered);
            GByteArray *got = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(converted));
            n = got->len;
            utf8 = g_malloc(n + 1);
            memcpy(utf8, got->data, n);
        }
        g_object_unref(filtered);
        g_object_unref(converted);
    }
    add_hex("", utf8 ? (void *)utf8 : (void *)bytes->data, n);
    g_free(utf8);
    g_object_unref(memory);
}

static void visit(GMimeObject *parent, GMimeObject *object, gpointer unused)
{
    (void)parent, (void)unused;
    GMimeContentType *type = g_mime_object_get_content_type(object);
    char *name = type ? g_mime_content_type_get_mime_type(type) : g_strdup("text/plain");
    if (GMIME_IS_MESSAGE_PART(object)) {
        GMimeMessage *inner = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
        if (inner) g_mime_message_foreach(inner, visit, NULL);
    } else if (GMIME_IS_PART(object)) {
        const char *file = g_mime_part_get_filename(GMIME_PART(object));
        if (file) add_hex("name ", file, strlen(file));
        if (!g_ascii_strncasecmp(name, "text/", 5)) add_text(GMIME_PART(object), name);
    }
    g_free(name);
}

static void add_fields(GMimeMessage *message)
{
    GMimeHeaderList *list = g_mime_object_get_header_list(GMIME_OBJECT(message));
    for (int i = 0; i < g_mime_header_list_get_count(list); i++) {
        GMimeHeader *header = g_mime_header_list_get_header_at(list, i);
        const char *value = g_mime_header_get_value(header);
        g_string_append_printf(out, "field %s ", g_mime_header_get_name(header));
        add_hex("", value ? value : "", value ? strlen(value) : 0);
    }
}

static void read_message(char *data, size_t n, bool fields)
{
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(data, n);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
    if (message) {
        const char *subject = g_mime_message_get_subject(message);
        if (subject) add_hex("subject ", subject, strlen(subject));
        if (fields) add_fields(message);
        GMimeObject *root = g_mime_message_get_mime_part(message);
        if (root) visit(NULL, root, NULL);
        if (root && GMIME_IS_MULTIPART(root)) g_mime_multipart_foreach(GMIME_MULTIPART(root), visit, NULL);
        g_object_unref(message);
    }
    g_object_unref(parser);
    g_object_unref(stream);
}

int main(int argc, char **argv)
{
    bool fields = argc > 1 && strcmp(argv[1], "--fields") == 0;
    g_mime_init();
    out = g_string_new(NULL);
    for (uint32_t length; fread(&length, 1, 4, stdin) == 4;) {
        size_t n = ntohl(length);
        char *data = g_malloc(n + 1);
        if (fread(data, 1, n, stdin) != n) return 1;
        g_string_truncate(out, 0);
        read_message(data, n, fields);
        g_free(data);
        uint32_t size = htonl((uint32_t)out->len);
        fwrite(&size, 1, 4, stdout);
        fwrite(out->str, 1, out->len, stdout);
        fflush(stdout);
    }
    return 0;
}
