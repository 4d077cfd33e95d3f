# SPDX-License-Identifier: LGPL-2.1-or-later
#
# bash completion of virt-multikernel-mkinitramfs: options, package names, kernel versions.
_virt_multikernel_mkinitramfs() {
    local word=$2
    case $3 in
    -o | --output) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    -p | --package) mapfile -t COMPREPLY < <(apt-cache pkgnames -- "$word" 2>/dev/null) ;;
    -k | --kernel) mapfile -t COMPREPLY < <(compgen -W "$(ls /lib/modules)" -- "$word") ;;
    -m | --modules | -n | --hostname | -r | --run) COMPREPLY=() ;;
    *)
        mapfile -t COMPREPLY < <(compgen -W "--output --package --kernel --modules
            --hostname --run --help" -- "$word")
        ;;
    esac
}
complete -F _virt_multikernel_mkinitramfs virt-multikernel-mkinitramfs
