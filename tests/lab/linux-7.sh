#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The newest Linux 7.x: how frames travel.
exec "$(dirname "$0")/machine" 7 lanes isolation generic vhostnet pktgen
