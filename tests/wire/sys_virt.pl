# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The main flows with Perl's Sys::Virt; sys_virt_test.py runs it.  perl sys_virt.pl URI XML-FILE
use strict;
use warnings;

use Sys::Virt;
use Sys::Virt::Domain;
use Sys::Virt::Event;
use Test::More;

my ($uri, $file) = @ARGV;
open(my $in, '<', $file) or die "$file: $!";
my $xml = do { local $/; <$in> };

# The code of the error that $call dies with, 0 if it does not.
sub code_of {
    my ($call) = @_;
    eval { $call->(); 1 } and return 0;
    return ref($@) ? $@->code : die $@;
}

# Runs the event loop until $condition is true.
sub run_until {
    my ($condition) = @_;
    my $late = 0;
    my $timer = Sys::Virt::Event::add_timeout(60000, sub { $late = 1 });
    Sys::Virt::Event::run_default() until $late || $condition->();
    Sys::Virt::Event::remove_timeout($timer);
    ok(!$late, 'it came in time');
}

Sys::Virt::Event::register_default();
my $connection = Sys::Virt->new(uri => $uri);

# the host
is($connection->get_type, 'multikernel', 'type');
ok($connection->get_library_version >= 9000000, 'level of libvirt');
ok($connection->is_secure && $connection->is_alive, 'a local connection');
like($connection->get_capabilities, qr{<domain type='multikernel'/>}, 'capabilities');
like($connection->get_domain_capabilities(undef, undef, undef, undef),
     qr{<domain>multikernel</domain>}, 'domain capabilities');
is($connection->get_node_info->{cpus}, 8, 'CPUs of the host');
my ($cpus, $map, $online) = $connection->get_node_cpu_map;
is($cpus, 8, 'map of CPUs');
ok($connection->get_node_free_memory > 0, 'free memory');
is_deeply([$connection->list_all_domains], [], 'nothing is defined');

# events, and the life of a domain
my @lifecycle;
my $callback = $connection->domain_event_register_any(
    undef, Sys::Virt::Domain::EVENT_ID_LIFECYCLE,
    sub { my ($of, $domain, $event, $detail) = @_; push @lifecycle, [$domain->get_name, $event] });
my $domain = $connection->define_domain($xml);
is($domain->get_name, 'web', 'name');
is($domain->get_os_type, 'hvm', 'type of OS');
ok(!$domain->is_active && $domain->is_persistent, 'defined');
is_deeply([map { $_->get_name } $connection->list_defined_domains], ['web'], 'old list');
$domain->set_autostart(1);
ok($domain->get_autostart, 'autostart');
$domain->set_autostart(0);
$domain->create;
ok($domain->is_active, 'active');
is(($domain->get_state)[0], Sys::Virt::Domain::STATE_RUNNING, 'running');
is_deeply([map { $_->get_name } $connection->list_domains], ['web'], 'old list of running ones');
is($connection->get_domain_by_id($domain->get_id)->get_uuid_string, $domain->get_uuid_string,
   'found by its number');

# its console
my $stream = $connection->new_stream;
$domain->open_console($stream, undef);
my $said = '';
sub read_until {
    my ($text) = @_;
    until ($said =~ /\Q$text\E/) {
        my $count = $stream->recv(my $data, 4096);
        last if $count <= 0;
        $said .= $data;
    }
    like($said, qr/\Q$text\E/, "the console says $text");
}
read_until('userspace is up');
$stream->send("echo from-perl\n", 15);
read_until("\r\nfrom-perl\r\n");
my $second = $connection->new_stream;
is(code_of(sub { $domain->open_console($second, undef) }),
   Sys::Virt::Error::ERR_OPERATION_FAILED, 'the console is taken');
$stream->finish;

# what it has
my $info = $domain->get_info;
is($info->{memory}, 256 * 1024, 'memory');
is($info->{nrVirtCpu}, 2, 'vCPUs');
is(scalar(my @each = $domain->get_vcpu_info), 2, 'each vCPU');
$domain->set_vcpus(1, Sys::Virt::Domain::VCPU_LIVE);
is($domain->get_vcpus(Sys::Virt::Domain::VCPU_LIVE), 1, 'a vCPU less');
my ($stats) = $connection->get_all_domain_stats(0);
is($stats->{data}{'state.state'}, 1, 'statistics');
ok(exists $domain->memory_stats->{actual_balloon}, 'memory statistics');
is($domain->get_job_info->{type}, Sys::Virt::Domain::JOB_NONE, 'no job');
is_deeply([$domain->list_all_snapshots], [], 'no snapshots');
ok(!$domain->has_managed_save_image, 'no saved image');
$domain->set_metadata(Sys::Virt::Domain::METADATA_TITLE, 'a title', undef, undef);
is($domain->get_metadata(Sys::Virt::Domain::METADATA_TITLE, undef), 'a title', 'title');
like($domain->get_xml_description, qr{<title>a title</title>}, 'the title is in the XML');

# what cannot be done
is(code_of(sub { $connection->get_domain_by_name('nobody') }),
   Sys::Virt::Error::ERR_NO_DOMAIN, 'no such domain');
is(code_of(sub { $domain->create }), Sys::Virt::Error::ERR_OPERATION_INVALID, 'it runs already');
is(code_of(sub { $domain->save('/tmp/nowhere') }),
   Sys::Virt::Error::ERR_OPERATION_UNSUPPORTED, 'no save');
is(code_of(sub { $connection->define_domain('<domain') }),
   Sys::Virt::Error::ERR_XML_DETAIL, 'no XML');

# its end
$domain->suspend;
is(($domain->get_state)[0], Sys::Virt::Domain::STATE_PAUSED, 'paused');
$domain->resume;
$domain->reset;
$domain->destroy;
ok(!$domain->is_active, 'shut off');
$domain->undefine;
is_deeply([$connection->list_all_domains], [], 'gone');
run_until(sub { @lifecycle >= 6 });
is_deeply(\@lifecycle, [map { ['web', $_] } (
    Sys::Virt::Domain::EVENT_DEFINED, Sys::Virt::Domain::EVENT_STARTED,
    Sys::Virt::Domain::EVENT_SUSPENDED, Sys::Virt::Domain::EVENT_RESUMED,
    Sys::Virt::Domain::EVENT_STOPPED, Sys::Virt::Domain::EVENT_UNDEFINED)], 'all was told');
$connection->domain_event_deregister_any($callback);
done_testing();
