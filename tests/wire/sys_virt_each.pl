# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Each method of Perl's Sys::Virt that asks the daemon for something; sys_virt_test.py runs it, with
# what is in virsh_test.py's {names} as JSON.  perl sys_virt_each.pl <words.json
use strict;
use warnings;

use Data::Dumper;
use JSON::PP;
use Scalar::Util qw(blessed);
use Sys::Virt;
use Sys::Virt::Domain;
use Sys::Virt::Error;
use Sys::Virt::Event;
use Test::More;

$Data::Dumper::Indent = 0;
$Data::Dumper::Sortkeys = 1;
$Data::Dumper::Terse = 1;

my $words = decode_json(do { local $/; <STDIN> });
sub file { my ($name) = @_; open(my $in, '<', $words->{$name}) or die "$name: $!"; local $/; <$in> }

# As virsh_table.py has it: the daemon's answer for what cannot be.
sub refused { my ($code) = @_; return 'error ' . Sys::Virt::Error->can("ERR_$code")->() }
my $never = refused('OPERATION_UNSUPPORTED');
my $unknown = refused('NO_SUPPORT');
my $invalid = refused('INVALID_ARG');
my $not_now = refused('OPERATION_INVALID');
my $no_snapshot = refused('NO_DOMAIN_SNAPSHOT');
my $no_checkpoint = refused('NO_DOMAIN_CHECKPOINT');

# What a call answers, as a text: objects are their names.
sub plain {
    my ($value) = @_;
    return { map { $_ => plain($value->{$_}) } keys %$value } if ref($value) eq 'HASH';
    return [map { plain($_) } @$value] if ref($value) eq 'ARRAY';
    return $value unless blessed($value);
    for my $name (qw(get_name get_port_dev get_uuid_string)) {
        return $value->$name if $value->can($name);
    }
    return ref($value);
}

sub answer {
    my ($object, $method, @arguments) = @_;
    my @values = eval { $object->$method(@arguments) };
    return ref($@) ? 'error ' . $@->code : "died: $@" if $@;
    return join(' ', map { ref($_) ? Dumper($_) : $_ // 'undef' } map { plain($_) } @values);
}

my %asked;  # package -> method

# Rows: [method, arguments, what it answers, or a pattern of that].
sub each_of {
    my ($object, @rows) = @_;
    for my $row (@rows) {
        my ($method, $arguments, $expected) = @$row;
        $asked{ref($object)}{$method} = 1;
        my $got = answer($object, $method, @$arguments);
        my $name = ref($object) . "->$method";
        ref($expected) ? like($got, $expected, $name) : is($got, $expected, $name);
    }
}

# That no method was left out. `others` are those that ask nobody.
sub all_of {
    my ($package, @others) = @_;
    return if Sys::Virt->VERSION !~ /^v?9\.0/;  # a newer one has more
    no strict 'refs';
    my @missing = grep { /^[a-z]/ && defined &{"${package}::$_"} && !$asked{$package}{$_} }
        sort keys %{"${package}::"};
    my %known = map { $_ => 1 } @others;
    is_deeply([grep { !$known{$_} } @missing], [], "all of $package");
}

Sys::Virt::Event::register_default();
my $c = Sys::Virt->new(uri => $words->{uri});
my $web = $c->get_domain_by_name('web');
my $uuid = $web->get_uuid_string;
my $cpu = file('cpu');
my $live = Sys::Virt::Domain::AFFECT_LIVE;
my $config = Sys::Virt::Domain::AFFECT_CONFIG;

# -- the host -----------------------------------------------------------------------------------
each_of($c,
    [get_type => [], 'multikernel'],
    [get_version => [], 1000],
    [get_major_version => [], 0],
    [get_minor_version => [], 1],
    [get_micro_version => [], 0],
    [get_library_version => [], qr{^\d+00\d\d\d\d}],
    [get_hostname => [], $words->{hostname}],
    [get_uri => [], $words->{uri}],
    [get_capabilities => [], qr{<domain type='multikernel'/>}],
    [get_domain_capabilities => [undef, undef, undef, undef], qr{<domain>multikernel</domain>}],
    [get_sysinfo => [], qr{^<sysinfo type='smbios'>}],
    [get_node_security_model => [], "{'doi' => '','model' => ''}"],
    [get_node_sev_info => [], $unknown],
    [is_alive => [], 1],
    [is_secure => [], 1],
    [is_encrypted => [], 0],
    [set_keep_alive => [5, 3], ''],
    [set_identity => [{}], ''],
    [get_max_vcpus => ['multikernel'], 7],
    [get_node_info => [], qr{'cpus' => 8,'memory' => 8388608,}],
    [get_node_cpu_map => [], "8 \xff 8"],
    [get_node_cpu_stats => [], qr{^\{'idle' => .*'iowait' => .*'kernel' => .*'user' => }],
    [get_node_memory_stats => [], qr{'free' => '?[1-9]}],
    [get_node_free_memory => [], qr{^[1-9]}],
    [get_node_cells_free_memory => [0, 0], qr{^[1-9]\d*$}],
    [get_node_free_pages => [[4], 0, 0], qr{^\{'cell' => 0,'pages' => \{'4' => '?[1-9]}],
    [node_alloc_pages => [[[2048, 4]], 0, 0], ''],
    [get_node_memory_parameters => [], "{'shm_pages_to_scan' => 100}"],
    [set_node_memory_parameters => [{shm_pages_to_scan => 200}], ''],
    [node_suspend_for_duration => [Sys::Virt::NODE_SUSPEND_TARGET_MEM(), 60], $never],
    [get_cpu_model_names => ['x86_64'], qr{\bqemu64\b}],
    [compare_cpu => [$cpu], Sys::Virt::CPU_COMPARE_SUPERSET()],
    [compare_hypervisor_cpu => [undef, undef, undef, undef, $cpu],
     Sys::Virt::CPU_COMPARE_SUPERSET()],
    [baseline_cpu => [[$cpu]], qr{^<cpu }],
    [baseline_hypervisor_cpu => [undef, undef, undef, undef, [$cpu]], qr{^<cpu }],
    [num_of_domains => [], 1],
    [list_domain_ids => [9], 1],
    [list_domains => [], 'web'],
    [num_of_defined_domains => [], 1],
    [list_defined_domain_names => [9], 'off'],
    [list_defined_domains => [], 'off'],
    [list_all_domains => [0], 'off web'],
    [get_domain_by_name => ['web'], 'web'],
    [get_domain_by_id => [1], 'web'],
    [get_domain_by_uuid => [$web->get_uuid], 'web'],
    [get_all_domain_stats => [Sys::Virt::Domain::STATS_STATE],
     qr{\{'data' => \{'state.reason' => 1,'state.state' => 1\},'dom' => 'web'\}}],
    [define_domain => [file('short')], 'short'],
    [create_domain => [file('once')], 'once'],
    [create_domain_with_files => [file('off'), []], $unknown],
    [domain_xml_to_native => ['multikernel', file('off')], qr{^\{\n}],
    [domain_xml_from_native => ['multikernel', file('native')], qr{^<domain type='multikernel'}],
    [restore_domain => ['/tmp/mk-never'], $never],
    [define_save_image_xml => ['/tmp/mk-never', file('off')], $never],
    [get_save_image_xml_description => ['/tmp/mk-never'], $unknown],
    [new_stream => [], 'Sys::Virt::Stream'],
    [domain_event_register => [sub { }], ''],
    [domain_event_deregister => [], ''],
    [domain_event_register_any => [$web, Sys::Virt::Domain::EVENT_ID_REBOOT, sub { }], 1],
    [domain_event_deregister_any => [1], ''],
    [register_close_callback => [sub { }], ''],
    [unregister_close_callback => [], ''],
);

# -- domains ------------------------------------------------------------------------------------
my $dimm = file('dimm');
my $disk = "<disk type='file'><source file='/none'/><target dev='vda'/></disk>";
each_of($web,
    [get_name => [], 'web'],
    [get_id => [], 1],
    [get_uuid => [], $web->get_uuid],
    [get_uuid_string => [], $uuid],
    [get_os_type => [], 'hvm'],
    [is_active => [], 1],
    [is_persistent => [], 1],
    [is_updated => [], 0],
    [get_state => [], '1 1'],
    [get_info => [], qr{'maxMem' => 262144,'memory' => 262144,'nrVirtCpu' => 2,'state' => 1}],
    [get_control_info => [], "{'details' => 0,'state' => 0,'stateTime' => 0}"],
    [get_messages => [], ''],
    [get_xml_description => [], qr{^<domain type='multikernel' id='1'}],
    [get_max_memory => [], 262144],
    [get_max_vcpus => [], 4],
    [get_vcpus => [$live], 2],
    [get_vcpu_info => [], qr{'cpu' => 1,.*'number' => 0,.*'cpu' => 2,.*'number' => 1,}],
    [set_vcpus => [3, $live], ''],
    [set_vcpu => ['2', 0, $live], ''],
    [pin_vcpu => [1, "\x20"], ''],
    [get_guest_vcpus => [], "{'offlinable' => '1','online' => '0-1','vcpus' => '0-1'}"],
    [set_guest_vcpus => ['1', 0], ''],
    [get_emulator_pin_info => [], "\xff"],
    [pin_emulator => ["\x01"], $never],
    [get_iothread_info => [], ''],
    [add_iothread => [1], $never], [pin_iothread => [1, "\x01"], $never],
    [set_iothread => [1, {poll_max_ns => 1}], $never],
    [del_iothread => [1], $never],
    [get_scheduler_type => [], 'none'],
    [get_scheduler_parameters => [], "{'global_quota' => -1,'vcpu_quota' => -1}"],
    [set_scheduler_parameters => [{vcpu_quota => 5000}], $never],
    [get_memory_parameters => [], qr{^\{'hard_limit' => 1048576,}],
    [set_memory_parameters => [{hard_limit => 1}], $never],
    [get_blkio_parameters => [], qr{'weight' => 0\}$}],
    [set_blkio_parameters => [{weight => 500}], $never],
    [get_numa_parameters => [], "{'numa_mode' => 0,'numa_nodeset' => '0'}"],
    [set_numa_parameters => [{numa_nodeset => '0'}, $live], ''],
    [get_perf_events => [], qr{'cmt' => 0,}],
    [set_perf_events => [{cmt => 1}], $never],
    [set_memory => [393216, $live], ''],
    [set_max_memory => [393216], $not_now],
    [set_memory_stats_period => [5], $never],
    [memory_stats => [], qr{^\{'actual_balloon' => 393216,}],
    [memory_peek => [0, 8, Sys::Virt::Domain::MEMORY_PHYSICAL], $invalid],
    [attach_device => [$dimm, $live], ''],
    [update_device => [$dimm, $live], refused('CONFIG_UNSUPPORTED')],
    [detach_device => [$dimm, $live], ''],
    [detach_device_alias => ['dimm7', $live], refused('DEVICE_MISSING')],
    [get_disk_errors => [], ''],
    [get_block_info => ['vda'], $invalid],
    [block_peek => ['vda', 0, 8], $invalid],
    [block_stats => ['vda'], $invalid],
    [block_resize => ['vda', 1024], $invalid],
    [get_block_iotune => ['vda'], $invalid],
    [set_block_iotune => ['vda', {total_bytes_sec => 1}], $invalid],
    [set_block_threshold => ['vda', 1], $invalid],
    [get_block_job_info => ['vda'], $invalid],
    [set_block_job_speed => ['vda', 1], $never], [abort_block_job => ['vda'], $never],
    [block_pull => ['vda', 0], $never], [block_rebase => ['vda', undef, 0], $never],
    [block_copy => ['vda', '<disk/>', {}], $never],
    [block_commit => ['vda', undef, undef, 0], $never],
    [interface_stats => ['vnet0'], $invalid],
    [get_interface_parameters => ['vnet0'], $invalid],
    [set_interface_parameters => ['vnet0', {'inbound.average' => 1}], $invalid],
    [get_interface_addresses => [Sys::Virt::Domain::INTERFACE_ADDRESSES_SRC_LEASE], ''],
    [get_cpu_stats => [0, 2], qr{^\{'cpu_time' => .*\} \{'cpu_time' => }],
    [get_hostname => [], 'web'],
    [get_time => [], '[1800000000,500000000]'],
    [set_time => [1, 0], $never],
    [get_guest_info => [Sys::Virt::Domain::GUEST_INFO_OS], qr{'os.name' => 'Linux'}],
    [get_fs_info => [], $unknown],
    [fs_freeze => [[]], $never], [fs_thaw => [[]], $never],
    [fs_trim => ['/', 0], $never], [set_user_password => ['root', 'secret'], $never],
    [authorized_ssh_keys_get => ['root'], $unknown],
    [authorized_ssh_keys_set => ['root', ['key']], $never],
    [set_agent_response_timeout => [5], $never], [send_process_signal => [1, 9], $never],
    [send_key => [Sys::Virt::Domain::KEYCODE_SET_LINUX, 0, [56, 99, 35]], ''],
    [inject_nmi => [0], ''],
    [pm_suspend_for_duration => [Sys::Virt::NODE_SUSPEND_TARGET_MEM(), 0], $never],
    [pm_wakeup => [], $never],
    [get_metadata => [Sys::Virt::Domain::METADATA_DESCRIPTION, undef], 'mk-old'],
    [set_metadata => [Sys::Virt::Domain::METADATA_TITLE, 'site', undef, undef], ''],
    [get_security_label => [], $unknown],
    [get_security_label_list => [], ''],
    [get_launch_security_info => [], '{}'],
    [set_launch_security_state => [{}], $invalid],
    [get_job_info => [], qr{'type' => 0\}$}],
    [get_job_stats => [], qr{ \{\}$}],
    [abort_job => [], $not_now],
    [start_dirty_rate_calc => [1], $never],
    [fd_associate => ['disk', [0]], refused('ARGUMENT_UNSUPPORTED')],
    [screenshot => [$c->new_stream, 0], $never],
    [open_channel => [$c->new_stream, undef], $never],
    [open_graphics => [0, 0], $invalid],
    [open_graphics_fd => [0], refused('ARGUMENT_UNSUPPORTED')],
    [open_console => [$c->new_stream, undef], ''],
    [core_dump => [$words->{core}], $never],
    [core_dump_format => ["$words->{core}", Sys::Virt::Domain::CORE_DUMP_FORMAT_RAW,
                          Sys::Virt::Domain::DUMP_MEMORY_ONLY], ''],
    [save => [$words->{core}], $never], [managed_save => [], $never],
    [has_managed_save_image => [], 0],
    [managed_save_remove => [], $not_now],
    [managed_save_define_xml => [file('off')], $never],
    [managed_save_get_xml_description => [], $not_now],
    [num_of_snapshots => [], 0],
    [list_snapshot_names => [9], ''],
    [list_snapshots => [], ''],
    [list_all_snapshots => [0], ''],
    [has_current_snapshot => [], 0],
    [current_snapshot => [], $no_snapshot],
    [get_snapshot_by_name => ['s'], $no_snapshot],
    [create_snapshot => ['<domainsnapshot/>'], $never],
    [list_all_checkpoints => [0], ''],
    [get_checkpoint_by_name => ['c'], $no_checkpoint],
    [create_checkpoint => ['<domaincheckpoint/>'], $never],
    [backup_begin => ['<domainbackup/>', undef], $never],
    [backup_get_xml_description => [], refused('NO_DOMAIN_BACKUP')],
    [migrate => [$c], $never], [migrate2 => [$c, undef, 0, undef, undef, 0], $never],
    [migrate_to_uri => [$words->{uri}, Sys::Virt::Domain::MIGRATE_PEER2PEER], $never],
    [migrate_set_max_downtime => [1], $never],
    [migrate_get_max_downtime => [], $unknown],
    [migrate_set_max_speed => [1], $never],
    [migrate_get_max_speed => [], $unknown],
    [migrate_set_compression_cache => [1], $never],
    [migrate_get_compression_cache => [], $unknown],
    [migrate_start_post_copy => [], $never],
    [set_autostart => [1], ''],
    [get_autostart => [], 1],
    [set_lifecycle_action => [Sys::Virt::Domain::LIFECYCLE_REBOOT,
                              Sys::Virt::Domain::LIFECYCLE_ACTION_DESTROY, $config], ''],
    [create => [], $not_now],
    [create_with_files => [[]], $unknown],
    [rename => ['site'], $not_now],
    [suspend => [], ''],
    [resume => [], ''],
    [reset => [], ''],
    [reboot => [], ''],
    [destroy => [], ''],
    [create => [], ''],
    [shutdown => [], ''],
    [undefine => [], ''],
);
all_of('Sys::Virt::Domain', 'migrate_to_uri2');  # calls what the binding itself has not

# -- what the stock libvirtd has ----------------------------------------------------------------
my $lan_uuid = $words->{network_uuid};
for my $family (qw(network storage_pool secret node_device)) {
    my ($register, $deregister) = map { "${family}_event_${_}_any" } qw(register deregister);
    my $number = answer($c, $register, undef, 0, sub { });  # 0: of its life
    like($number, qr{^\d+$}, $register);
    $asked{'Sys::Virt'}{$register} = 1;
    each_of($c, [$deregister => [$number], '']);
}

each_of($c,
    [define_network => [file('network')], 'lan'],
    [create_network => [file('network_broken')], refused('NO_NAME')],
    [num_of_networks => [], 0],
    [list_network_names => [9], ''],
    [list_networks => [], ''],
    [num_of_defined_networks => [], 1],
    [list_defined_network_names => [9], 'lan'],
    [list_defined_networks => [], 'lan'],
    [list_all_networks => [0], 'lan'],
    [get_network_by_name => ['lan'], 'lan'],
    [get_network_by_uuid => [$lan_uuid], 'lan'],
);
each_of($c->get_network_by_name('lan'),
    [get_name => [], 'lan'],
    [get_uuid => [], qr{^.{16}$}s],
    [get_uuid_string => [], $lan_uuid],
    [is_active => [], 0],
    [is_persistent => [], 1],
    [get_xml_description => [], qr{<name>lan</name>}],
    [get_bridge_name => [], 'mk-test0'],
    [set_autostart => [1], ''],
    [get_autostart => [], 1],
    [get_dhcp_leases => [], ''],
    [update => [Sys::Virt::Network::UPDATE_COMMAND_ADD_LAST(),
                Sys::Virt::Network::SECTION_IP_DHCP_HOST(), 0, file('dhcp_host'),
                Sys::Virt::Network::UPDATE_AFFECT_CONFIG()], ''],
    [list_all_ports => [], $not_now],
    [create_port => [file('port')], $not_now],
    [get_port_by_uuid => [$lan_uuid], refused('NO_NETWORK_PORT')],
    [destroy => [], $not_now],
    [undefine => [], ''],
    [create => [], refused('NO_NETWORK')],  # this host gets no bridge
);

each_of($c,
    [define_storage_pool => [file('pool')], 'images'],
    [create_storage_pool => ['text'], refused('XML_DETAIL')],
    [num_of_storage_pools => [], 0],
    [list_storage_pool_names => [9], ''],
    [list_storage_pools => [], ''],
    [num_of_defined_storage_pools => [], 1],
    [list_defined_storage_pool_names => [9], 'images'],
    [list_defined_storage_pools => [], 'images'],
    [list_all_storage_pools => [0], 'images'],
    [get_storage_pool_by_name => ['images'], 'images'],
    [get_storage_pool_by_uuid => [$words->{pool_uuid}], 'images'],
    [get_storage_pool_capabilities => [], qr{<pool type='dir' supported='yes'>}],
    [find_storage_pool_sources => ['dir', undef], $unknown],
);
my $images = $c->get_storage_pool_by_name('images');
each_of($images,
    [build => [], ''],
    [create => [], ''],
    [get_name => [], 'images'],
    [get_uuid => [], qr{^.{16}$}s],
    [get_uuid_string => [], $words->{pool_uuid}],
    [is_active => [], 1],
    [is_persistent => [], 1],
    [get_xml_description => [], qr{<pool type='dir'>}],
    [set_autostart => [1], ''],
    [get_autostart => [], 1],
    [refresh => [], ''],
    [get_info => [], qr{'state' => 2\}$}],
    [create_volume => [file('volume')], 'second'],
    [num_of_storage_volumes => [], 1],
    [list_storage_vol_names => [9], 'second'],
    [list_volumes => [], 'second'],
    [list_all_volumes => [0], 'second'],
    [get_volume_by_name => ['second'], 'second'],
);
my $volume = $images->get_volume_by_name('second');
each_of($images, [clone_volume => [file('volume_third'), $volume], 'third']);
each_of($c,
    [get_storage_pool_by_target_path => ["$words->{folder}/images"], 'images'],
    [get_storage_pool_by_volume => [$volume], 'images'],
    [get_storage_volume_by_path => ["$words->{folder}/images/second"], 'second'],
    [get_storage_volume_by_key => ["$words->{folder}/images/second"], 'second'],
);

my ($up, $down) = ($c->new_stream, $c->new_stream);
each_of($volume,
    [get_name => [], 'second'],
    [get_key => [], "$words->{folder}/images/second"],
    [get_path => [], "$words->{folder}/images/second"],
    [get_xml_description => [], qr{<volume type='file'>}],
    [get_info => [], qr{'capacity' => 1048576,'type' => 0\}$}],
    [resize => [2 << 20], ''],
    [upload => [$up, 0, 4], ''],
);
each_of($up, [send => ['text', 4], 4], [finish => [], '']);
each_of($volume, [download => [$down, 0, 4], '']);
my $came = '';
while ($down->recv(my $data, 4096) > 0) { $came .= $data }
each_of($down, [finish => [], '']);
is($came, 'text', 'what was uploaded');
each_of($volume,
    [wipe => [], ''],
    [wipe_pattern => [Sys::Virt::StorageVol::WIPE_ALG_ZERO()], ''],
    [delete => [0], ''],
);
each_of($images->get_volume_by_name('third'), [delete => [0], '']);
each_of($images, [destroy => [], ''], [delete => [], ''], [undefine => [], '']);

each_of($c,
    [define_secret => [file('secret')], $words->{secret_uuid}],
    [num_of_secrets => [], 1],
    [list_secret_uuids => [9], $words->{secret_uuid}],
    [list_secrets => [], $words->{secret_uuid}],
    [list_all_secrets => [0], $words->{secret_uuid}],
    [get_secret_by_uuid => [$words->{secret_uuid}], $words->{secret_uuid}],
    [get_secret_by_usage => [Sys::Virt::Secret::USAGE_TYPE_CEPH(), 'mk-key'],
     $words->{secret_uuid}],
);
each_of($c->get_secret_by_uuid($words->{secret_uuid}),
    [get_uuid => [], qr{^.{16}$}s],
    [get_uuid_string => [], $words->{secret_uuid}],
    [get_usage_type => [], Sys::Virt::Secret::USAGE_TYPE_CEPH()],
    [get_usage_id => [], 'mk-key'],
    [get_xml_description => [], qr{<secret ephemeral='yes' private='no'>}],
    [set_value => ['secret'], ''],
    [get_value => [], 'secret'],
    [undefine => [], ''],
);

each_of($c,
    [define_nwfilter => [file('filter')], 'mk-test'],
    [num_of_nwfilters => [], 1],
    [list_nwfilter_names => [9], 'mk-test'],
    [list_nwfilters => [], 'mk-test'],
    [list_all_nwfilters => [0], 'mk-test'],
    [get_nwfilter_by_name => ['mk-test'], 'mk-test'],
    [create_nwfilter_binding => [file('binding')], 'mk-none'],
    [list_all_nwfilter_bindings => [0], 'mk-none'],
    [get_nwfilter_binding_by_port_dev => ['mk-none'], 'mk-none'],
);
each_of($c->get_nwfilter_binding_by_port_dev('mk-none'),
    [get_port_dev => [], 'mk-none'],
    [get_filter_name => [], 'nowhere'],
    [get_xml_description => [], qr{<portdev name='mk-none'/>}],
    [delete => [], ''],
);
my $filter = $c->get_nwfilter_by_name('mk-test');
each_of($c, [get_nwfilter_by_uuid => [$filter->get_uuid_string], 'mk-test']);
each_of($filter,
    [get_name => [], 'mk-test'],
    [get_uuid => [], qr{^.{16}$}s],
    [get_uuid_string => [], qr{-}],
    [get_xml_description => [], qr{<filter name='mk-test'}],
    [undefine => [], ''],
);

each_of($c,
    [num_of_node_devices => ['system'], 1],
    [list_node_device_names => ['system', 9], 'computer'],
    [list_node_devices => ['system'], 'computer'],
    [list_all_node_devices => [Sys::Virt::NodeDevice::LIST_CAP_SYSTEM()], 'computer'],
    [get_node_device_by_name => ['computer'], 'computer'],
    [get_node_device_scsihost_by_wwn => ['1', '2'], refused('INTERNAL_ERROR')],
    [create_node_device => ['text'], refused('XML_DETAIL')],
    [define_node_device => ['text'], refused('XML_DETAIL')],
);
each_of($c->get_node_device_by_name('computer'),
    [get_name => [], 'computer'],
    [get_parent => [], 'undef'],
    [get_xml_description => [], qr{<name>computer</name>}],
    [list_capabilities => [], 'system'],
    [is_active => [], 1],
    [is_persistent => [], 1],
    [get_autostart => [], 1],
    [set_autostart => [1], $never],
    [create => [], $not_now],
    [destroy => [], refused('CONFIG_UNSUPPORTED')],
    [undefine => [], refused('CONFIG_UNSUPPORTED')],
    [dettach => [undef, 0], $never], [reattach => [], $never],
    [reset => [], $never],
);

each_of($c,
    [num_of_interfaces => [], qr{^\d}],
    [list_interface_names => [9], qr{}],
    [list_interfaces => [], qr{}],
    [num_of_defined_interfaces => [], qr{^\d}],
    [list_defined_interface_names => [9], qr{}],
    [list_defined_interfaces => [], qr{}],
    [list_all_interfaces => [0], qr{\blo\b}],
    [get_interface_by_name => ['lo'], 'lo'],
    [get_interface_by_mac => ['00:00:00:00:00:00'], 'lo'],
    [define_interface => [file('interface')], $unknown],
    [interface_change_begin => [], $unknown],
    [interface_change_commit => [], $unknown],
    [interface_change_rollback => [], $unknown],
);
each_of($c->get_interface_by_name('lo'),
    [get_name => [], 'lo'],
    [get_mac => [], '00:00:00:00:00:00'],
    [is_active => [], qr{^[01]$}],
    [get_xml_description => [], qr{<interface type='ethernet' name='lo'>}],
    [create => [], $unknown],
    [destroy => [], $unknown],
    [undefine => [], $unknown],
);

all_of('Sys::Virt', qw(bootstrap new create_interface));
all_of("Sys::Virt::$_")
    for qw(Network StoragePool StorageVol Secret NWFilter NWFilterBinding NodeDevice Interface);
done_testing();
