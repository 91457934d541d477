// What a laptop has in ACPI (ACPI 6.4, chapters 10 and 11): a battery, an
// adapter, a thermal zone. What they tell lies in memory that the test writes,
// as an embedded controller would.
DefinitionBlock ("", "SSDT", 2, "LAB", "LAPTOP", 1)
{
  External (\_SB.CPUS.C000, DeviceObj)
  OperationRegion (DIAL, SystemMemory, 0x30000000, 0x40)
  Field (DIAL, DWordAcc, NoLock, Preserve)
  {
    DESG, 32, // mWh when new
    FULL, 32, // mWh of the last full charge
    CYCL, 32, // cycles
    BSTA, 32, // bit 0 discharging, bit 1 charging, bit 2 critical
    RATE, 32, // mW
    LEFT, 32, // mWh
    ADPT, 32, // 1: the adapter is in
    TEMP, 32, // tenths of a kelvin
    GONE, 32, // 1: there is no battery
  }
  Scope (\_SB)
  {
    Device (BAT0)
    {
      Name (_HID, EisaId ("PNP0C0A"))
      Name (_UID, 1)
      Name (INFO, Package () { 0, 0, 0, 0, 1, 11400, 2000, 500, 0, 95000, 500, 200, 1000, 1000, 10, 10, "DELL 1VX1H", "12345", "LiP", "BYD" })
      Name (STAT, Package () { 0, 0, 0, 11400 })
      Method (_STA) { If (GONE) { Return (0x0F) } Return (0x1F) }
      Method (_BIX, 0, Serialized) { INFO [2] = DESG INFO [3] = FULL INFO [8] = CYCL Return (INFO) }
      Method (_BST, 0, Serialized) { STAT [0] = BSTA STAT [1] = RATE STAT [2] = LEFT Return (STAT) }
      Method (_PCL) { Return (Package () { \_SB_ }) }
    }
    Device (AC0)
    {
      Name (_HID, "ACPI0003")
      Method (_STA) { Return (0x0F) }
      Method (_PSR) { Return (ADPT) }
      Method (_PCL) { Return (Package () { \_SB_ }) }
    }
  }
  Scope (\)
  {
    ThermalZone (TZ0)
    {
      Method (_TMP) { Return (TEMP) }
      Method (_CRT) { Return (3782) } // 105 °C
      Method (_PSV) { Return (3682) } // 95 °C
      Name (_TC1, 4)
      Name (_TC2, 3)
      Name (_TSP, 150)
      Name (_PSL, Package () { \_SB.CPUS.C000 })
      Name (_TZP, 0)
    }
  }
}
