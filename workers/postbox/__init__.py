"""The postbox: mails to the shop, stored before they are acknowledged, then sorted into their flows."""
