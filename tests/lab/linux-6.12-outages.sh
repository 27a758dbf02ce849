#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The newest Linux 7.x: what happens to a NIC while vxdp is on it, and who else is there.
exec "$(dirname "$0")/machine" 6.12 outage
