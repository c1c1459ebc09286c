"""Messages that a run of views_test.py found missed and that are no form of hostile_mail.py's grammar, as small as they
became: (place, the words in it); what stands above them is the relay's.
"""
from hostile_forms import WIDE

ABOVE = b"Received: from a.example by b.example; Mon, 5 Oct 2026 10:00:00 +0000\r\n"
MARKED_NAME = b'\r\n\r\n--b1\r\nContent-Disposition: attachment; filename="plutonium cargo.txt"'
FOUND = {
    "8-bit blank, blanks and a fold before a name": ("subject",
                                                     b"\xa0 \r\n Subject: plutonium cargo\r\nDate: x\r\n\r\n"),
    "8-bit blank and a blank before a name": ("subject", b"\xa0 Subject: plutonium cargo\r\n\r\n"),
    "boundary extended, star forgotten, charset unknown": (
        "name", b"Content-Type: multipart/mixed; boundary=usascii''b1" + MARKED_NAME),
    "UTF-8 as latin1, some of it damaged": (
        "body", b"Content-Type: text/plain; junk; charset=iso-8859-1\r\n\r\n" + WIDE.encode() + b" \xef\xbc\r\n"),
    "escape that opens a comment": (
        "name", b'Content-Disposition:\x1b(B attachment (x); (y) filename="plutonium cargo.txt" (z)'),
    "Japanese escape in Korean": ("body",
                                  b"Content-Type: text/plain; charset=iso-2022-kr\r\n\r\nplu\x1b(Btonium cargo"),
    "sections, one of them with a quote": ("name",
                                           b'Content-Disposition: attachment; filename*1=pluton"; filename*2="ium '
                                           b'cargo"'),
    "sections, one of them with a blank": ("name",
                                           b'Content-Disposition: attachment; filename*0=pluton x; filename*1="ium '
                                           b'cargo"'),
}
