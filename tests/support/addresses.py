"""E-mail addresses in odd forms, and texts that look like one and are none."""

ODD_ADDRESSES = (
    *("user@my_host.com", "user\uff20host\uff0ecom", "user\ufe6bhost.com", "u%40host.com", "user%40host%2Ecom"),
    *("user @ host.com", "user@ host.com", "user\u00a0@\u00a0host.com", "user\t@\nhost.com"),
    *("us\u200ber@ho\u200bst.com", "user\u200b@\u200bhost.com", "user@host\u00ad.com"),
    *("user (at) host.com", "user[at]host[dot]com", "user&#64;host.com", "user&commat;host.com", '"john doe"@example.com'),
    *("user@[192.168.0.1]", "user@192.168.0.1", "user@host.co.uk.", "user@host\u3002com", "\uff35ser\uff20host\uff0e\uff43om"),
    *("user=40host.com", "user%2540host.com", "user\\u0040host.com", "user<at>host.com", "user\u00abat\u00bbhost.com"),
    *("user at host dot com", "user AT mail DOT host DOT com", "user(at)host(punkt)de", "user(@)host.com", "user@@host.com"),
    *("user@[IPv6:2001:db8::1]", "user@host\u2024com", "user\ufe6bhost\ufe52com", "user\u2800@\u2800host.com"),
    *("user      @      host.com", "<b>user</b>@host.com", "(user)@host.com", "[user]@host.com", "user&nbsp;@&nbsp;host.com"),
    *("user&commat;host&period;com", "user&#64host.com"),
    *("user@xn--80ak6aa92e.xn--p1ai", "user@xn--p1ai.рф", "mailto:user@host.com?cc=user@b.org", "Name<user@host.com>"),
)
ORDINARY = (
    *("AT&T", "Booking.com", "5 @ 3.50", "24/7 Support @ 99.9%", "Node.js @ Scale", "Meeting @ St. James", "Sales @ Acme Inc."),
    *("C++ @ v2.0", "Discount 40%", "Bundle %40 off", "Suite 100%40", "rate (at) 5.0", "Look [at] this. Now", "Widget @2x"),
    *(
        "@Home",
        "P@ssword Manager",
        "50 seats @ $12.50",
        "Yahoo! Inc.",
        "L.A. Gear",
        "H&M",
        "1&1",
        "Ph.D. Tools",
        "A@B",
        "Cafe@Work",
        "Vitamin (A) Plus.de",
        "Look at this",
        "Meet at Acme",
    ),
)
