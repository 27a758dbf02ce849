part_debug() {
	card igb
	ethtool -G "$NIC" rx 512
	vx_start --lane direct --dedicated
	for i in 1 2 3 4; do
		guest echo --count 400
		holds "echo" '.echoed == 400 and .lost == 0'
		losses
		ethtool -S "$NIC" 2>/dev/null | grep -E ': [1-9]' | tr -s ' \n' ' '
	done
	detaches
}
