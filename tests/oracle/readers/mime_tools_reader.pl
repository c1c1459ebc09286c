#!/usr/bin/perl
# What Perl's MIME-tools shows of messages: an oracle for message/, as a long-lived worker (the protocol of gmime_reader.c).
use strict;
use warnings;
use Encode ();
use MIME::Parser;
use MIME::WordDecoder;

binmode STDIN;
binmode STDOUT;
$SIG{__WARN__} = sub { };
my $out;

sub hex_of { my ($t) = @_; $t = Encode::encode('UTF-8', $t) if utf8::is_utf8($t); return unpack('H*', $t); }

sub visit {
    my ($entity) = @_;
    my $head = $entity->head;
    my $name = eval { $head->recommended_filename };
    if (defined $name) {
        my $decoded = eval { mime_to_perl_string($name) };
        $out .= 'name ' . hex_of(defined $decoded ? $decoded : $name) . "\n";
    }
    if ($entity->parts) { visit($_) for $entity->parts; return; }
    my $type = $entity->effective_type || 'text/plain';
    my $body = $entity->bodyhandle or return;
    return unless $type =~ m{^text/};
    $type =~ s{\s+}{_}g;
    my $bytes = $body->as_string;
    my $charset = $head->mime_attr('content-type.charset');
    my $text = defined $charset && Encode::find_encoding($charset) ? eval { Encode::decode($charset, $bytes) } : undef;
    my $disposition = lc($head->mime_attr('content-disposition') || '') eq 'attachment' ? 'attachment' : 'inline';
    $out .= "part $type $disposition " . hex_of(defined $text ? $text : $bytes) . "\n";
}

while (read(STDIN, my $length, 4) == 4) {
    my $n = unpack('N', $length);
    my $data = '';
    read(STDIN, $data, $n) if $n;
    $data =~ s/\r\n/\n/g;    # it wants the line ends of its system
    $out = '';
    my $parser = MIME::Parser->new;
    $parser->output_to_core(1);
    $parser->tmp_to_core(1);
    $parser->extract_nested_messages(1);
    $parser->extract_uuencode(1);
    my $entity = eval { $parser->parse_data($data) };
    if ($entity) {
        my $subject = $entity->head->get('subject', 0);
        if (defined $subject) {
            $subject =~ s/\n//g;
            my $decoded = eval { mime_to_perl_string($subject) };
            $out .= 'subject ' . hex_of(defined $decoded ? $decoded : $subject) . "\n";
        }
        eval { visit($entity) };
    }
    syswrite STDOUT, pack('N', length $out) . $out;
}
