# What the web app and the worker share: the database, by psql; the queue, by Redis's protocol.
package Orders;
use strict;
use warnings;
use IO::Socket::INET;

# Run a statement; the values are psql variables in it. Return what it gives, line by line.
sub sql {
    my ($statement, %values) = @_;
    my @set = map { ('-v', "$_=$values{$_}") } keys %values;
    pipe(my $out, my $in) or die;
    my $psql = open(my $answer, '-|') // die;
    if (!$psql) {
        close $in;
        open(STDIN, '<&', $out);
        exec 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', @set, $ENV{DATABASE_URL} or die;
    }
    print $in $statement;
    close $in;
    chomp(my @lines = <$answer>);
    close $answer or die "psql failed: $statement";
    return @lines;
}

# Send one command to Redis and return its answer: a text, or a list.
sub redis {
    my ($host, $port) = split /:/, $ENV{REDIS};
    our $connection //= IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port) or die "no redis at $ENV{REDIS}";
    print $connection '*' . @_ . "\r\n", map { '$' . length($_) . "\r\n$_\r\n" } @_;
    return answer($connection);
}

sub answer {
    my ($connection) = @_;
    my $line = <$connection> // die 'redis is gone';
    my ($kind, $rest) = $line =~ /^(.)(.*)\r\n$/;
    die "redis: $rest" if $kind eq '-';
    return map { scalar answer($connection) } 1 .. $rest if $kind eq '*' && $rest > 0;
    return $rest if $kind ne '$';
    return undef if $rest < 0;
    read $connection, my $text, $rest + 2;
    return substr $text, 0, $rest;
}

1;
