#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The newest Linux 7.x: what every kernel is asked for, a QEMU on a tap, and a wire with VLANs.
exec "$(dirname "$0")/machine" 7 firsts nested nested_tap vlans
