// What an Asus notebook has for its driver (drivers/platform/x86/asus-wmi.c): a
// method behind WMI that tells and sets the limit of charging, the fan's speed
// and how quiet the notebook is to be. What they are lies beside the dials.
DefinitionBlock ("", "SSDT", 2, "LAB", "ASUS", 1)
{
  OperationRegion (FANS, SystemMemory, 0x30000100, 0x10)
  Field (FANS, DWordAcc, NoLock, Preserve)
  {
    TURN, 32, // hundreds of turns a minute
    MODE, 32, // 0 default, 1 overboost, 2 silent
  }
  Scope (\_SB)
  {
    Device (AMW0)
    {
      Name (_HID, "PNP0C14")
      Name (_UID, "ATK")
      Name (_WDG, Buffer ()
      {
        // 97845ED0-4E6D-11DE-8A39-0800200C9A66: method WMBC
        0xD0, 0x5E, 0x84, 0x97, 0x6D, 0x4E, 0xDE, 0x11, 0x8A, 0x39, 0x08, 0x00, 0x20, 0x0C, 0x9A, 0x66, 0x42, 0x43, 1, 2,
        // 0B3CBB35-E3C2-45ED-91C2-4C5A6D195D1C: event 0xFF
        0x35, 0xBB, 0x3C, 0x0B, 0xC2, 0xE3, 0xED, 0x45, 0x91, 0xC2, 0x4C, 0x5A, 0x6D, 0x19, 0x5D, 0x1C, 0xFF, 0x00, 1, 8,
      })
      Method (_WED, 1) { Return (0) }
      Method (WMBC, 3, Serialized)
      {
        CreateDWordField (Arg2, 0, ITEM)
        Switch (ToInteger (Arg1))
        {
          Case (0x54494E49) { Return (1) }          // INIT
          Case (0x43455053) { Return (0x00080001) } // SPEC: the version
          Case (0x4E554653) { Return (0) }          // SFUN
          Case (0x53545344)                         // DSTS: what is it?
          {
            Switch (ToInteger (ITEM))
            {
              Case (0x00120057) { Return (0x00010064) }         // the limit of charging, which only is set
              Case (0x00110013) { Return (0x00010000 | TURN) }  // the fan
              Case (0x00120075) { Return (0x00010000 | MODE) }  // quiet or not
            }
            Return (0)
          }
          Case (0x53564544) // DEVS: be it so
          {
            CreateDWordField (Arg2, 4, WANT)
            If (ITEM == 0x00120075) { MODE = WANT }
            Return (1)
          }
        }
        Return (0xFFFFFFFE)
      }
    }
  }
}
