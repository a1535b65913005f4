"""Mails as servers and people send them, after real ones; addresses, names and numbers are made up.

`{quoted}` is the mail of ours that they are about, `{to}` its recipient.
"""

_OURS = """\
Return-Path: <{return_path}>
Received: from mail.shop.example (mail.shop.example [192.0.2.10])
\tby mx.example.com (Postfix) with ESMTPS id 4XyZ12AbCdz9
\tfor <{to}>; Wed, 25 Nov 2026 09:00:02 +0100 (CET)
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=shop.example; s=lethe-ed25519; b=AAAA
From: "Example Shop" <news@shop.example>
To: {to}
Subject: The news
Date: Wed, 25 Nov 2026 08:00:00 +0000
Message-ID: <{message_id}>
List-Unsubscribe: <{unsubscribe_url}>,
\t<mailto:unsubscribe@shop.example?subject=unsubscribe>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
MIME-Version: 1.0
Content-Type: text/plain; charset="utf-8"

"""

POSTFIX = """\
Return-Path: <>
Received: by mx.example.com (Postfix)
\tid 4XyZ13AbCdz9; Wed, 25 Nov 2026 09:00:03 +0100 (CET)
Date: Wed, 25 Nov 2026 09:00:03 +0100 (CET)
From: MAILER-DAEMON@mx.example.com (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: bounces@shop.example
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4XyZ12AbCdz9.1764057603/mx.example.com"
Message-Id: <4XyZ13AbCdz9@mx.example.com>

This is a MIME-encapsulated message.

--4XyZ12AbCdz9.1764057603/mx.example.com
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.com.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

<{to}>: {diagnostic}

--4XyZ12AbCdz9.1764057603/mx.example.com
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com
X-Postfix-Queue-ID: 4XyZ12AbCdz9
X-Postfix-Sender: rfc822; bounces@shop.example
Arrival-Date: Wed, 25 Nov 2026 09:00:02 +0100 (CET)

Final-Recipient: rfc822; {to}
Original-Recipient: rfc822;{to}
Action: {action}
Status: {status}
Remote-MTA: dns; mailbox.example.com
Diagnostic-Code: smtp; {diagnostic}

--4XyZ12AbCdz9.1764057603/mx.example.com
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

{quoted}
--4XyZ12AbCdz9.1764057603/mx.example.com--
"""

EXIM = """\
Return-path: <>
Envelope-to: bounces@shop.example
Received: from Debian-exim by mx.example.com with local (Exim 4.97)
\tid 1tFabc-000000001Xy-2Zab
\tfor bounces@shop.example; Wed, 25 Nov 2026 09:00:03 +0100
X-Failed-Recipients: {to}
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mx.example.com>
To: bounces@shop.example
References: <{message_id}>
Content-Type: multipart/report; report-type=delivery-status; boundary=1764057603-eximdsn-1804289383
MIME-Version: 1.0
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1tFabc-000000001Xy-2Zab@mx.example.com>
Date: Wed, 25 Nov 2026 09:00:03 +0100

--1764057603-eximdsn-1804289383
Content-type: text/plain; charset=us-ascii

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  {to}
    host mailbox.example.com [203.0.113.25]
    SMTP error from remote mail server after RCPT TO:<{to}>:
    550 no such recipient here

--1764057603-eximdsn-1804289383
Content-type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Action: failed
Final-Recipient: rfc822;{to}
Status: 5.0.0
Remote-MTA: dns; mailbox.example.com
Diagnostic-Code: smtp; 550 no such recipient here

--1764057603-eximdsn-1804289383
Content-type: message/rfc822

{quoted}
--1764057603-eximdsn-1804289383--
"""

EXIM_IN_WORDS = """\
Return-path: <>
Received: from mail by mx.example.com with local (Exim 4.72)
\tid 1tFabd-0000xy-1Z
\tfor bounces@shop.example; Wed, 25 Nov 2026 09:00:03 +0100
X-Failed-Recipients: {to}
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mx.example.com>
To: bounces@shop.example
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1tFabd-0000xy-1Z@mx.example.com>
Date: Wed, 25 Nov 2026 09:00:03 +0100

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  {to}
    Unrouteable address

------ This is a copy of the message, including all the headers. ------

{quoted}
"""

EXCHANGE = """\
Received: from AM6PR02MB0001.eurprd02.prod.outlook.com (2603:10a6:20b::1) by
 AM6PR02MB0002.eurprd02.prod.outlook.com with HTTPS; Wed, 25 Nov 2026 08:00:04 +0000
MIME-Version: 1.0
From: <postmaster@corp.example>
To: <bounces@shop.example>
Date: Wed, 25 Nov 2026 08:00:04 +0000
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="79cf0a4e-3a3b-4c3a-9b0e-1c2d3e4f5a6b"
X-MS-Exchange-Message-Is-Ndr:
Content-Language: en-US
Message-ID: <5d1c9a2e-0001-4b7e-8d3e-aaaabbbbcccc@AM6PR02MB0001.eurprd02.prod.outlook.com>
In-Reply-To: <{message_id}>
References: <{message_id}>
Thread-Topic: The news
Subject: Undeliverable: The news
Auto-Submitted: auto-replied

--79cf0a4e-3a3b-4c3a-9b0e-1c2d3e4f5a6b
Content-Type: multipart/alternative; differences=Content-Type;
\tboundary="5e1f0c2d-7a3b-4f9e-8c1d-2b3a4c5d6e7f"

--5e1f0c2d-7a3b-4f9e-8c1d-2b3a4c5d6e7f
Content-Type: text/plain; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

Your message to {to} couldn't be delivered.

The address wasn't found at corp.example.

--5e1f0c2d-7a3b-4f9e-8c1d-2b3a4c5d6e7f
Content-Type: text/html; charset="us-ascii"

<html><body><p>Your message couldn't be delivered.</p></body></html>

--5e1f0c2d-7a3b-4f9e-8c1d-2b3a4c5d6e7f--

--79cf0a4e-3a3b-4c3a-9b0e-1c2d3e4f5a6b
Content-Type: message/delivery-status

Reporting-MTA: dns;AM6PR02MB0001.eurprd02.prod.outlook.com
Received-From-MTA: dns;mail.shop.example
Arrival-Date: Wed, 25 Nov 2026 08:00:03 +0000

Final-Recipient: rfc822;{to}
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient {to} not found by SMTP address lookup
X-Display-Name: {to}

--79cf0a4e-3a3b-4c3a-9b0e-1c2d3e4f5a6b
Content-Type: message/rfc822

{quoted}
--79cf0a4e-3a3b-4c3a-9b0e-1c2d3e4f5a6b--
"""

GMAIL = """\
Return-Path: <>
Received: by 2002:a05:6402:1c00:b0:5cf:aaaa:bbbb with SMTP id ck0csp1; Wed, 25 Nov 2026 00:00:05 -0800 (PST)
From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
To: bounces@shop.example
Auto-Submitted: auto-replied
Subject: Delivery Status Notification (Failure)
References: <{message_id}>
In-Reply-To: <{message_id}>
X-Failed-Recipients: {to}
Message-ID: <67443f45.050a0220.1a2b3c.0001.GMR@mx.google.com>
Date: Wed, 25 Nov 2026 00:00:05 -0800 (PST)
MIME-Version: 1.0
Content-Type: multipart/report; boundary="000000000000abcdef0627b1c2d3"; report-type=delivery-status

--000000000000abcdef0627b1c2d3
Content-Type: multipart/related; boundary="000000000000abcf000627b1c2d4"

--000000000000abcf000627b1c2d4
Content-Type: text/plain; charset="UTF-8"
Content-Transfer-Encoding: quoted-printable

** Address not found **

Your message wasn't delivered to {to} because the address couldn't be found=
, or is unable to receive mail.

The response from the remote server was:
550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's em=
ail address for typos or unnecessary spaces.

--000000000000abcf000627b1c2d4--
--000000000000abcdef0627b1c2d3
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com
Arrival-Date: Wed, 25 Nov 2026 00:00:04 -0800 (PST)
X-Original-Message-ID: <{message_id}>

Final-Recipient: rfc822; {to}
Action: failed
Status: 5.1.1
Remote-MTA: dns; gmail-smtp-in.l.google.com. (2a00:1450:400c:c0c::1b, the server for the domain gmail.com.)
Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try
 550-5.1.1 double-checking the recipient's email address for typos or
 550-5.1.1 unnecessary spaces. For more information, go to
 550 5.1.1  https://support.google.com/mail/?p=NoSuchUser - gsmtp
Last-Attempt-Date: Wed, 25 Nov 2026 00:00:05 -0800 (PST)

--000000000000abcdef0627b1c2d3
Content-Type: message/rfc822

{quoted}
--000000000000abcdef0627b1c2d3--
"""

QMAIL = """\
Return-Path: <>
Received: (qmail 12345 invoked for bounce); 25 Nov 2026 08:00:03 -0000
Date: 25 Nov 2026 08:00:03 -0000
From: MAILER-DAEMON@mx.example.com
To: bounces@shop.example
Subject: failure notice

Hi. This is the qmail-send program at mx.example.com.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{to}>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

{quoted}
"""

FEEDBACK = """\
From: <feedback@fbl.mailprovider.example>
To: <{recipient}>
Date: Wed, 25 Nov 2026 10:00:00 +0000
Subject: FW: The news
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report;
\tboundary="part1_13d.2e68ed54_boundary"
Message-ID: <fbl-20261125-1@fbl.mailprovider.example>

--part1_13d.2e68ed54_boundary
Content-Type: text/plain; charset="US-ASCII"
Content-Transfer-Encoding: 7bit

This is an email abuse report for an email message received from IP
192.0.2.10 on Wed, 25 Nov 2026 08:00:01 +0000. For more information about
this format please see https://www.rfc-editor.org/rfc/rfc5965.

--part1_13d.2e68ed54_boundary
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <{return_path}>
Original-Rcpt-To: <redacted@mailprovider.example>
Arrival-Date: Wed, 25 Nov 2026 08:00:01 +0000
Source-IP: 192.0.2.10
Reported-Domain: shop.example

--part1_13d.2e68ed54_boundary
Content-Type: message/rfc822
Content-Disposition: inline

{quoted}
--part1_13d.2e68ed54_boundary--
"""

QUESTION = """\
Received: from [198.51.100.7] (host7.example.org [198.51.100.7])
\tby mail.example.org (Postfix) with ESMTPSA id 4XyZ99; Wed, 25 Nov 2026 12:00:00 +0100 (CET)
From: =?utf-8?q?J=C3=B6rg_Wei=C3=9F?= <{author}>
To: privacy@shop.example
Subject: =?utf-8?q?Question_about_order_4711_=E2=80=93_lamp?=
Date: Wed, 25 Nov 2026 12:00:00 +0100
Message-ID: <CAF-{number}@mail.example.org>
MIME-Version: 1.0
{headers}Content-Type: multipart/alternative; boundary="b1"

--b1
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: 8bit

{text}
--b1
Content-Type: text/html; charset="utf-8"

<html><body><p>{text}</p></body></html>
--b1--
"""

VACATION = """\
From: Ada Example <{author}>
To: bounces@shop.example
Subject: Out of Office: The news
Date: Wed, 25 Nov 2026 09:01:00 +0000
Message-ID: <vacation-1@mail.example.com>
In-Reply-To: <{message_id}>
Auto-Submitted: auto-replied (vacation)
Precedence: bulk
X-Auto-Response-Suppress: All
Content-Type: text/plain; charset=us-ascii

I am away until Monday.
"""

RECEIPT = """\
From: <{author}>
To: news@shop.example
Subject: Read: The news
Date: Wed, 25 Nov 2026 09:01:00 +0000
Message-ID: <mdn-1@mail.example.com>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=disposition-notification; boundary="m1"

--m1
Content-Type: text/plain

Your message was displayed.
--m1
Content-Type: message/disposition-notification

Final-Recipient: rfc822; {author}
Original-Message-ID: <{message_id}>
Disposition: manual-action/MDN-sent-manually; displayed
--m1--
"""

UNSUBSCRIBE = """\
From: {author}
To: <{recipient}>
Subject: unsubscribe
Date: Wed, 25 Nov 2026 09:01:00 +0000
Message-ID: <unsubscribe-{number}@mail.example.com>

"""


def sample(template: str, **values: str) -> bytes:
    """The mail, with CRLF line ends. `quoted` is made of the other values."""
    named = {
        "to": "ada@example.com", "return_path": "bounces@shop.example", "message_id": "1.none@shop.example",
        "unsubscribe_url": "https://shop.example/u/none", "diagnostic": "550 5.1.1 User unknown", "status": "5.1.1",
        "action": "failed", "kind": "abuse", "author": "ada@example.com", "recipient": "privacy@shop.example",
        "number": "1", "headers": "", "text": "Where is my lamp?", **values,
    }  # fmt: skip
    return template.format(quoted=_OURS.format(**named), **named).replace("\n", "\r\n").encode()
