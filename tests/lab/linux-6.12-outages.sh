#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Linux 6.12: what happens to a NIC while vxdp is on it by copy.
exec "$(dirname "$0")/machine" 6.12 outage
