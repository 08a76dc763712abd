// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

// ruleID is a rule's place in ruleTable.
type ruleID int

const (
	env01 ruleID = iota
	env02
	env03
	env04
	env05
	env06
	env07
	env08
	env09
	env10
	env11
	env12
	env13
	env14
	env15
	env16
	env17
	env18

	m01
	m02
	m03
	m04
	m05
	m06
	m07
	m08
	m09
	m10
	m11
	m12
	m13
	m14
	m15
	m16

	n01
	n02
	n03
	n04
	n05
	n06
	n07
	n08
	n09
	n10
	n11
	n12

	s01
	s02
	s03
	s04
	s05
	s06
	s07
	s08
	s09
	s10
	s11
	s12
	s13

	sd01
	sd02
	sd03
	sd04
	sd05
	sd06
	sd07
	sd08
	sd09
	sd10
	sd11
	sd12
	sd13
	sd14
	sd15
	sd16
	sd17
	sd18
	sd19
	sd20
	sd21
	sd22
	sd23
	sd24
	sd25
	sd26
	sd27
	sd28
	sd29
	sd30
	sd31
	sd32
	sd33
	sd34
	sd35
	sd36
	sd37
	sd38
	sd39
	sd40
	sd41
	sd42
	sd43
	sd44
	sd45
	sd46
	sd47
	sd48
	sd49
	sd50
	sd51
	sd52
	sd53
	sd54
	sd55

	a01
	a02
	a03
	a04
	a05
	a06
	a07

	x00
	x01
	x02
	x03
	x04
	x05
	x06
	x07
	x08
	x09
	x10
	x11
	x12
	x13
	x14
	x15
	x16
	x17
	x18
	x19
	x20
	x21
	x22
	x23
)
