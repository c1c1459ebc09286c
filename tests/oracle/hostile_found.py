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
    "boundary extended, star and charset forgotten, quoted": (
        "name", b"Content-Type: multipart/mixed; boundary=''\"b1\"" + MARKED_NAME),
    "boundary extended, folded behind its charset": (
        "name", b"Content-Type: multipart/mixed; boundary*=us-ascii''\r\n b1" + MARKED_NAME),
    "boundary with a question mark outside quotes": (
        "name", b"Content-Type: multipart/mixed; boundary=b1=? (c)" + MARKED_NAME),
    "boundary with its quote, inner one with words behind its": (
        "name", b'Content-Type: multipart/mixed; boundary="b1\r\n\r\n--"b1\r\nContent-Type: multipart/mixed; '
                b'boundary="a1"/' + MARKED_NAME.replace(b"b1", b"a1")),
    "equals signs in a row in UTF-32": ("body", (
        b"Content-Type: text/plain; charset=utf-32be\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        + b"".join(b"=00=00=00%c" % c for c in b"x>") + b"=00==00=00<"
        + b"".join(b"=00=00=00%c" % c for c in b"plutonium cargo"))),
    "no tag, but to simple programs, between words": (
        "body", b"Content-Type: text/html\r\n\r\n<p>plutonium<=2r>cargo</p>"),
    "comment without end, and what looks like a tag in it": (
        "body", b"Content-Type: text/html\r\n\r\n<p>x</p><!-- <pplutonium cargo</p>"),
    "a byte beyond ASCII in what is labelled so": (
        "body", b"Content-Type: text/plain; charset=us-ascii\r\n\r\nplutonium carg\xffo"),
    "a tag that is none between words": ("body", b"Content-Type: text/html\r\n\r\n<p>plutonium<r>cargo</p>"),
    "Korean with a byte that only some know": (
        "body", b"Content-Type: text/plain; charset=euc-kr\r\n\r\n"
                + WIDE.encode("euc-kr").replace(b"\xa3\xf4", b"\xa0\xa3\xf4", 1)),
    "Chinese with a byte that only some take a letter along with": (
        "body", b"Content-Type: text/plain; charset=gb2312\r\n\r\n<\x01\xfeplutonium cargo"),
    "section that ends in an escape": (
        "name", b"Content-Disposition: attachment; filename*0*=utf-8\'\'pluton\x1b(B; filename*1=\"ium cargo.txt\""),
    "escape of quoted-printable parted by a soft line break": (
        "body", b"Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
                b"plutonium carg==\r\n6F"),
    "nothing in quotes before the name": ("name",
                                          b'Content-Disposition: attachment; filename=""plutonium cargo.txt'),
    "Big5 with bytes that only some know": ("body",
                                            b"Content-Type: text/plain; charset=big5\r\n\r\npluto\xa0nium car\xffgo"),
    "encoded-word in the text of another": (
        "name", b"Content-Disposition: attachment; filename==?utf-8?q?=70=6C filename==?utf-8?q?"
                b"=70=6C=75=74=6F=6E=69=75=6D=20=63=61=72=67=6F=2E=74=78=74?="),
    "uuencoded Japanese, a line spoilt and one behind a tab": ("body", (
        b'Content-Type: text/plain; charset=iso-2022-jp\r\n'
        b'Content-Transfer-Encoding: x-uuencode\r\n'
        b'\r\n'
        b'begin 644 x.txt\r\n'
        b'M1&5A<B!A;&PL#0H;)$(C<!LH0ALD0B-L&RA"&R1"(W4;*$(;)$(C=!LH0ALD\r\n'
        b'M0B-O&RA"&R1"(VX;*$(;)$(C:1LH0ALD0B-U&RA"&R1"(VT;*$(@&R1"(V,;\r\n'
        b'\tI*$(;)$(C81LH0ALD0B-R&RA"&R1"(V<;*$(;)$(C;QLH0@T*0GEE#0H \r\n'
        b'I*$(;)$(C81LH0ALD0B-R&RA"&R1"(V<;*$(;)$(C;QLH0@T*0GEE#0H \r\n')),
    "name of an encoding, folded behind it": (
        "body", b"Content-Transfer-Encoding: base64\r\n \r\nplutonium cargo"),
    "boundary extended, with what no token holds": (
        "name", b"Content-Type: multipart/mixed; boundary*=us-ascii\'\'b1\'(" + MARKED_NAME),
    "words of one charset by two names, split inside a quantum": (
        "subject", b"Subject: =?utf-8?b?cGx1dG?= =?utf8?b?9uaXVtIGNhcmdv?="),
    "semicolon between a section and its equals sign": (
        "name", b"Content-Disposition: attachment;\r\n filename*0;=\"pluton\";\r\n filename*1=\"ium cargo.txt\""),
    "8-bit blank inside an encoded-word": (
        "name", b"Content-Type: multipart/mixed; boundary=\"a1\"\r\n\r\n--a1\r\nContent-Disposition: attachment; "
                b"filename==?utf-8?q?=70=6C=75=74=6F=6E=69=75=6D=20=63=\xa061=72=67=6F=2E=74=78=74?="),
    "uuencoded group over a line end": (
        "body", b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x.txt\r\nX-A: b\r\n"
                b"A1&5A<B=?!A;&PL#0IP;\'5T;VYI=6T@8V%R9V\\-\"D)Y90T*"),
    "uuencoded group over a line end, another length": (
        "body", b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x.txt\r\n>X-A: b\r\n"
                b">A1&5A<B!A;&PL#0IP;\'5T;VYI=6T@8V%R9V\\-\"D)Y90T*`"),
    "delimiter in the header of a part, junk in the outer one": (
        "body", b"junk\r\nContent-Type: multipart/; boundary=\"b1\"\r\n\r\n--b1\r\nContent-Transfer-Encoding: base64\r\n"
                b"--b1--\r\nRGVhciBhbGwsDQpwbHV0b25pdW0gY2FyZ28NCkJ5ZQ0K\r\n\r\n"),
    "only a parameter, without a semicolon": ("name", b'Content-Disposition:  filename="plutonium cargo.txt"'),
    "two delimiters in the header of a part": (
        "body", b"Content-Type: multipart/mixed; boundary=b1 x\r\n\r\n--b1\r\nContent-Type: text/plain\r\n--b1\r\n"
                b"Content-Transfer-Encoding: base64\r\n--b1--\r\nRGVhciBhbGwsDQpwbHV0b25pdW0gY2FyZ28NCkJ5ZQ0K"),
    "words split inside a quantum, with junk in them": (
        "subject", b"Subject: =?utf-8?b?cGx1dG\'\'?= =?utf-8?b?9uaXVtIGNhcmdv?="),
    "EBCDIC by the name of another program": ("body", b"Content-Type: text/plain; charset=cp37\r\n\r\n"
                                                      + "plutonium cargo".encode("cp037")),
    "encoded-word without a charset": (
        "subject", b"Subject: =?utf-8=??q?=70=6C=75=74=6F=6E=69=75=6D=20=63=61=72=67=6F?="),
    "comment without end before the name": (
        "name", b'Content-Type: multipart/mixed; boundary="a1"\r\n\r\n--a1\r\nContent-Disposition: attachment (x);( (y) '
                b'filename="plutonium cargo.txt" (z)'),
    "delimiter at the beginning of a message in a part": (
        "body", b"Content-Type: multipart/mixed; boundary=\"b1\"\r\n\r\n--b1\r\nContent-Type: message/rfc822\r\n\r\n"
                b"--b1\r\nContent-Transfer-Encoding: base64\r\nRGVhciBhbGwsDQo=\r\n--b1--\r\n"
                b"RGVhciBhbGwsDQpwbHV0b25pdW0gY2FyZ28NCkJ5ZQ0K"),
    "two delimiters in the header of a part, and junk": (
        "body", b"Content-Type: multipart/mixed; boundary=b2; boundary=b1\r\n\r\n--b1\r\nContent-Type: text/plain\r\n"
                b"--b1\r\nContent-Transfer-Encoding: base64\r\nRGVhciBhbGwsDQo=\r\n--b1--\r\n"
                b"RGVhciBhbGwsDQpwbHV0b25pdW0gY2FyZ28NCkJ5ZQ0K"),
    "semicolon in the number of a section": (
        "name", b'Content-Disposition: attachment; filename*;1="pluton"; filename*2="ium cargo.txt"'),
    "close delimiter in a header, a field behind": (
        "body", b"Content-Type: multipart/mixed; boundary=\"b1\"\r\n\r\n--b1\r\nX-A: b\r\n--b1\r\nContent-Type: text/plain\r\n"
                b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n--b1--\r\n"
                b"Content-Disposition: attachment\r\nRGVhciBhbGwsDQpwbHV0b25pdW0gY2FyZ28NCkJ5ZQ0K"),
    "declaration of nothing, and what follows": (
        "body", b"Content-Type: text/html\r\n\r\n<p>pluto<!>-- x -->nium cargo</p>"),
    "tag in what looks like one": ("body", b"Content-Type: text/html\r\n\r\n<pplutonium&nbsp cargo</p>"),
    "digest with a comma": (
        "body", b"Content-Type: multipart/digest,; boundary=\"b1\"\r\n\r\n--b1\r\n\r\n"
                b"Content-Type: text/x-unheard; charset=big5\r\n\r\n" + WIDE.encode("big5")),
    "junk before the last delimiter of a digest": (
        "name", b"Content-Type: multipart/digest; boundary=\"b1\"\r\n\r\n--b1\r\n'\r\n--b1--\r\n"
                b"Content-Disposition: attachment; filename=\"plutonium cargo.txt\""),
    "CR alone before a field": ("subject", b"X-A: b\rSubject: plutonium cargo\r\nTo: a@b.example\r\n\r\n"),
    "CR alone after each line of a multipart": (
        "name", b"Content-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\rContent-Disposition: attachment; "
                b"filename=\"plutonium cargo.txt\"\r\rx\r--b1--\r"),
    "CR alone at the end of the header": (
        "body", b"Content-Type: text/plain; charset=cp037\r\nContent-Transfer-Encoding: quoted-printable\r\n"
                b"Content-Disposition: inline (attachment)=C4k\r%=97=93=A4=A3=96=95=89=A4=94@=83=81=99=87=96\r%=C2="),
    "broken type in a digest": (
        "body", b"Content-Type: multipart/digest; boundary=\"b1\"\r\n\r\n--b1\r\nContent-Type: text/plainContent-Transfer-"
                b"Encoding: quoted-printable\r\n\r\nContent-Disposition: attachment\r\nplutonium cargo"),
    "encoded-word as an extended value, apostrophes in it": (
        "name", b"Content-Disposition: attachment; filename*=\"=?utf-8?b?cGx1dG9uaXVtIGNh\'\'cmdvLnR4dA==?=\""),
    "CR alone behind a From line in the header": (
        "body", b"From Ann <a@a.example>\r\nMIME-Version: 1.0\rContent-Type: text; charset=shift_jis\r\n"
                b"Content-Transfer-Encoding: base64\r\nRGVhciBhbGwsDQpwbHV0b25pdW0gY2FyZ28NCkJ5ZQ0K"),
    "indented field behind a delimiter in a header": (
        "body", b"Content-Type: multipart/mixed; boundary=\"b1\"\r\n\r\n--b1\r\nContent-Type: text/plain\r\n--b1\r\n"
                b" Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n--b1--\r\n"
                b"RGVhciBhbGwsDQpwbHV0b25pdW0gY2FyZ28NCkJ5ZQ0K"),
}
