# Devices on the bus of dummy_hcd, made by configfs (Documentation/usb/gadget_configfs.rst).
G=/sys/kernel/config/usb_gadget
gadget() { # NAME VENDOR PRODUCT MAKER MODEL SERIAL SPEED
  mkdir -p $G/$1/strings/0x409 $G/$1/configs/c.1/strings/0x409
  echo $2 >$G/$1/idVendor; echo $3 >$G/$1/idProduct; echo 0x2901 >$G/$1/bcdDevice; echo 0x0200 >$G/$1/bcdUSB
  echo "$4" >$G/$1/strings/0x409/manufacturer; echo "$5" >$G/$1/strings/0x409/product
  [ -z "$6" ] || echo "$6" >$G/$1/strings/0x409/serialnumber
  echo $7 >$G/$1/max_speed
  echo 98 >$G/$1/configs/c.1/MaxPower; echo 0xa0 >$G/$1/configs/c.1/bmAttributes
}
with() { # GADGET FUNCTION
  mkdir -p $G/$1/functions/$2; ln -s $G/$1/functions/$2 $G/$1/configs/c.1/
}
hid() { # GADGET INSTANCE PROTOCOL LENGTH DESCRIPTOR: the descriptor in printf's octal
  f=$G/$1/functions/hid.$2; mkdir -p $f
  echo $3 >$f/protocol; echo $(($3 > 0)) >$f/subclass; echo $4 >$f/report_length; printf "$5" >$f/report_desc
  ln -s $f $G/$1/configs/c.1/
}
KEYBOARD='\005\001\011\006\241\001\005\007\031\340\051\347\025\000\045\001\165\001\225\010\201\002\225\001\165\010\201\003\225\006\165\010\025\000\045\145\005\007\031\000\051\145\201\000\300'
MOUSE='\005\001\011\002\241\001\011\001\241\000\005\011\031\001\051\003\025\000\045\001\225\003\165\001\201\002\225\001\165\005\201\003\005\001\011\060\011\061\025\201\045\177\165\010\225\002\201\006\300\300'
# Reports 0x10 and 0x11 of Logitech's usage page, both ways.
HIDPP='\006\000\377\011\001\241\001\205\020\165\010\225\006\025\000\046\377\000\011\001\201\000\011\001\221\000\300\006\000\377\011\002\241\001\205\021\165\010\225\023\025\000\046\377\000\011\002\201\000\011\002\221\000\300'
plug() { echo dummy_udc.$2 >$G/$1/UDC; } # GADGET BUS
unplug() { echo '' >$G/$1/UDC; }
devices() { for d in /sys/bus/usb/devices/*; do [ ! -e $d/idVendor ] || [ "$(cat $d/idVendor):$(cat $d/idProduct)" != "$1" ] || echo $d; done; }
interface() { d=$(devices $1); echo ${d##*/}:1.0; }
present() { [ -n "$(devices $1)" ] && [ -n "$(cat $(devices $1)/bConfigurationValue)" ]; }
absent() { [ -z "$(devices $1)" ]; }
refused() { [ "$(cat $(devices $1)/authorized)" = 0 ]; }
remembers() { constat-agent facts --config /etc/agent.yaml --group peripherals --json | grep -q '"'$1'"'; } # the agent's service
