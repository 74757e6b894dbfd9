1
-1
2147483647
2147483648
-2147483648
-9223372036854775808
9223372036854775808
1.5
1e3
.5
1 + 1
2147483647 + 1
9223372036854775807 + 1
1 + 1.5
1 + 1.5::float8
1::int2 + 1::int2
32767::int2 + 1::int2
1::int2 + 1::int8
1::int4 + 1::float4
1::numeric + 1::float4
7 / 2
-7 / 2
-7 % 3
7 % -3
1 / 0
1.0 / 0
1::float8 / 0
1 % 0
(-2147483648)::int4 / -1
(-2147483648)::int4 % -1
(-9223372036854775808)::int8 % -1
-(-2147483648)::int4
abs((-2147483648)::int4)
10.0 / 3
1.0 / 3.0
1 / 3.0
2.5 / 0.3
100000.0 / 7
12345678901234567890.0 / 7
0.00001 / 3
1e-10::numeric / 3
1234.5678 * 98.7654321
1.10 + 2.205
5.5 % 2
-5.5 % 2
99999999999999999999999999999999999999::numeric + 0
0.1::float4 + 0.2::float4
0.1::float8 + 0.2::float8
1e308::float8 * 10
1e-320::float8 / 1e10
'NaN'::float8 = 'NaN'::float8
'NaN'::float8 > 1e308::float8
1 = 1.0
1 = 1.0::float8
'1' = 1
1 < '2'
'abc' < 'abd'
'a'::text = 1
1 = true
'x' = 1
1 + '1'
'1' + '1'
1 || 'a'
'a' || 1
'a' || 'b'
'a' || null
1 || 2
null + 1
null = null
null is null
1 is not null
true and null
false and null
true or null
false or null
not null
not true
1 and true
true is true
null is true
null is not true
null is unknown
false is not unknown
1 is distinct from null
null is distinct from null
1 is not distinct from 1
1 between 0 and 2
3 not between 0 and 2
1 in (1, 2)
1 in (2, null)
1 not in (2, 3)
1 not in (2, null)
'a' in ('a', 'b')
1.0 in (1, 2)
1 in (1.5, 1.0)
(1, 2) = (1, 2)
(1, 2) < (1, 3)
(1, null) < (2, 1)
(1, null) = (1, 2)
(1, null) = (2, null)
(2, 1) >= (1, 5)
(1, 2) in ((1, 2), (3, 4))
(1, null) is null
(null, null) is null
1 = any('{1,2,3}')
1 = any(array[2,3])
4 > all(array[1,2,3])
1 = any(array[2,null])
1 <> all('{2,3}'::int[])
'a' = any(array['a','b'])
'a' = any('{a,b}'::text[])
1::int8 = any('{1,2}'::int4[])
1.5 = any(array[1,1.5])
case when true then 1 else 2 end
case 1 when 2 then 'a' when 1 then 'b' end
case when false then 1 end
case when true then 1 else 2.5 end
case when true then 'a' else 1 end
case when 1 = 1 then 1 else 1/0 end
coalesce(null, 1, 2)
coalesce(null, null)
coalesce(1, 2.5)
coalesce('a', 1)
nullif(1, 1)
nullif(1, 2)
nullif('a', 'b')
greatest(1, 2.5, null)
least('b', 'a')
least(3, 1, 2)
cast('12' as int)
'12'::int4
' 12 '::int4
'12x'::int4
''::int4
'99999999999'::int4
'99999999999999999999'::int8
'-32769'::int2
'1.5'::int4
1.5::int4
2.5::int4
-1.5::int4
2.5::float8::int4
3.5::float8::int4
1e10::float8::int4
2147483648::int4
32768::int2
1e20::numeric::int8
123.456::numeric(5,2)
1234.5::numeric(5,2)
'123.456'::numeric(5,2)
99.995::numeric(4,2)
12345::numeric(5,-2)
0.00012345::numeric(3,6)
'1e5'::numeric
'1.5e-3'::numeric
' 1.50 '::numeric
'abc'::numeric
'1e'::numeric
'.'::numeric
1.50::numeric::text
1e5::float8
1e15::float8
1e16::float8
123456789012345678::float8
0.0001::float8
0.00001::float8
1.5::float4
16777217::float4
1e10::float4
0.1::float4::float8
1e6::float4
1e5::float4
'infinity'::float8
'-inf'::float8
'nan'::float8
'1e400'::float8
'1e-400'::float8
'1e40'::float4
'x'::float8
0.1::float8::numeric
123456789.123456789::float8::numeric
0.1::float4::numeric
1e-7::float8::numeric
true::int4
0::bool
't'::bool
'yes'::bool
'off'::bool
'of'::bool
'o'::bool
'maybe'::bool
true::text
'abc'::varchar(2)
'abc'::char(5)
'abc'::char(2)
'abc'::char
length('abc'::char(5))
'abc'::char(5) = 'abc  '::char(7)
'abc'::char(5) = 'abc'
'abc '::text = 'abc'::char(5)
'abc'::char(5) || 'x'
'abc'::char(5)::text || 'x'
octet_length('abc'::char(5))
'toolong'::varchar(3) || ''
'abc'::name
'abc'::"char"
'\x4142'::bytea
'abc'::bytea
'a\\b'::bytea
'a\101'::bytea
'a\1'::bytea
'\x4'::bytea
'\xzz'::bytea
'\x41'::bytea || '\x42'::bytea
'2020-01-01'::date
'20200101'::date
'01/02/2020'::date
'Jan 8, 1999'::date
'8 January 1999'::date
'1999-Jan-08'::date
'08-Jan-1999'::date
'99-Jan-08'::date
'January 8 99 BC'::date
'0044-03-15 BC'::date
'J2451187'::date
'1999.008'::date
'200012'::date
'990108'::date
'infinity'::date
'-infinity'::date
'epoch'::date
'2020-02-30'::date
'2020-13-01'::date
'13/13/2020'::date
'0000-01-01'::date
'abc'::date
''::date
'5874898-01-01'::date
'4714-11-24 BC'::date
'4714-11-23 BC'::date
'2020-01-01 10:00'::date
'12:34'::time
'12:34:56.789'::time
'123456'::time
'04:05 PM'::time
'12:05 AM'::time
'24:00:00'::time
'24:00:01'::time
'25:00'::time
'10:60'::time
'10:00:60'::time
'23:59:59.9999999'::time
'allballs'::time
'x'::time
'12:34:56.789'::time(1)
'2020-01-01 10:11:12'::timestamp
'2020-01-01T10:11:12'::timestamp
'20200101T101112'::timestamp
'2020-01-01'::timestamp
'2020-01-01 10:11:12.123456789'::timestamp
'2020-01-01 10:11:12+05'::timestamp
'Jan 1 2020 10:11 PM'::timestamp
'Wed Jan 01 10:11:12 2020'::timestamp
'2020-01-01 24:00:00'::timestamp
'2020-01-01 25:00:00'::timestamp
'infinity'::timestamp
'-infinity'::timestamp
'294277-01-01'::timestamp
'294276-12-31 23:59:59.999999'::timestamp
'0001-01-01 00:00:00 BC'::timestamp
'4713-01-01 BC'::timestamp
'foo'::timestamp
'2020-01-01 10:11:12.5'::timestamp(0)
'2020-01-01 10:11:12.4567'::timestamp(2)
'2020-07-01 12:00:00'::timestamptz
'2020-07-01 12:00:00+00'::timestamptz
'2020-07-01 12:00:00Z'::timestamptz
'2020-07-01 12:00:00 America/New_York'::timestamptz
'2020-07-01 12:00:00 EST'::timestamptz
'2020-07-01 12:00:00-03:30'::timestamptz
'2020-07-01 12:00:00 Mars/Foo'::timestamptz
'2020-03-29 02:30:00'::timestamptz
'2020-10-25 02:30:00'::timestamptz
'1800-01-01 00:00:00'::timestamptz
'2500-07-01 00:00:00'::timestamptz
'infinity'::timestamptz
'epoch'::timestamptz
'2020-07-01 12:00:00+99'::timestamptz
'1 day'::interval
'1 year 2 months 3 days 4 hours 5 minutes 6.7 seconds'::interval
'1-2'::interval
'3 4:05:06'::interval
'P1Y2M3DT4H5M6S'::interval
'-1 day +02:03'::interval
'1 day ago'::interval
'1.5 days'::interval
'1.5 months'::interval
'1.5 years'::interval
'2 weeks'::interval
'1 century'::interval
'100 hours'::interval
'-00:00:01.5'::interval
'5'::interval
'1 mon -1 day'::interval
'@ 1 minute'::interval
'1 foo'::interval
''::interval
'0'::interval
'500000000 years'::interval
'1.23456789 s'::interval
interval '1' day
interval '5 minutes'
interval '1' year
date '2020-01-31' + interval '1 month'
date '2020-01-01' + 5
date '2020-01-01' - 5
date '2020-03-01' - date '2020-02-01'
date '2020-01-01' + time '10:00'
timestamp '2020-01-31 10:00' + interval '1 month'
timestamp '2020-02-29' - interval '1 year'
timestamp '2020-03-01 10:00' - timestamp '2020-02-01 12:00'
timestamptz '2020-03-28 12:00' + interval '1 day'
timestamptz '2020-03-28 12:00' + interval '24 hours'
timestamptz '2020-07-01 00:00+00' - timestamptz '2020-06-01 00:00+00'
time '10:00' + interval '15 hours'
time '10:00' - time '12:30'
interval '1 day' * 2.5
interval '1 month' / 4
2 * interval '1 hour'
interval '1 day' + interval '25 hours'
- interval '1 day 2 hours'
interval '1 day' > interval '23 hours'
interval '1 month' = interval '30 days'
interval '1 day' / 0
'2020-01-01'::date < '2020-01-02'::timestamp
date '2020-01-01' = timestamptz '2020-01-01'
timestamp '2020-01-01' = '2020-01-01'
extract(year from date '2020-05-06')
extract(month from timestamp '2020-05-06 01:02:03')
extract(epoch from timestamptz '2020-05-06 00:00:00+00')
extract(epoch from timestamp '2020-05-06 00:00:00.5')
extract(epoch from interval '1 year 2 months 3 days 4 hours')
extract(second from time '01:02:03.456')
extract(milliseconds from time '01:02:03.456')
extract(microseconds from time '01:02:03.456')
extract(dow from date '2020-05-06')
extract(isodow from date '2020-05-03')
extract(doy from date '2020-05-06')
extract(week from date '2020-01-01')
extract(isoyear from date '2021-01-01')
extract(quarter from date '2020-05-06')
extract(century from date '2000-01-01')
extract(decade from date '1999-01-01')
extract(millennium from date '2001-01-01')
extract(julian from date '2000-01-01')
extract(hour from timestamptz '2020-07-01 12:00+00')
extract(timezone from timestamptz '2020-07-01 12:00+00')
extract(timezone_hour from timestamptz '2020-07-01 12:00+00')
extract(hour from date '2020-01-01')
extract(foo from date '2020-01-01')
extract(day from interval '3 days 25 hours')
extract(hour from interval '3 days 25 hours')
extract(month from interval '14 months')
extract(year from date '0044-03-15 BC')
extract(century from date '0044-03-15 BC')
date_part('year', timestamp '2020-05-06')
date_part('epoch', timestamp '2020-05-06')
date_trunc('month', timestamp '2020-05-06 01:02:03')
date_trunc('week', timestamp '2020-05-06 01:02:03')
date_trunc('quarter', timestamp '2020-05-06 01:02:03')
date_trunc('day', timestamptz '2020-05-06 23:30:00+00')
date_trunc('hour', timestamp '2020-05-06 01:02:03')
date_trunc('century', timestamp '2020-05-06 01:02:03')
date_trunc('day', timestamptz '2020-05-06 23:30:00+00', 'UTC')
date_trunc('hour', interval '3 days 25 hours 30 min')
date_trunc('foo', timestamp '2020-05-06 01:02:03')
date_trunc('month', date '2020-05-06')
timestamp '2020-07-01 12:00' at time zone 'America/New_York'
timestamptz '2020-07-01 12:00+00' at time zone 'America/New_York'
timestamptz '2020-07-01 12:00+00' at time zone 'UTC'
timestamptz '2020-07-01 12:00+00' at time zone '+03'
timestamptz '2020-07-01 12:00+00' at time zone 'foo'
age(timestamp '2020-05-06', timestamp '1990-02-10 12:00')
age(timestamp '1990-02-10 12:00', timestamp '2020-05-06')
age(timestamp '2020-03-01', timestamp '2020-01-31')
make_date(2020, 2, 29)
make_date(2021, 2, 29)
make_date(-44, 3, 15)
make_time(1, 2, 3.5)
make_timestamp(2020, 1, 2, 3, 4, 5.6)
to_timestamp(0)
to_timestamp(1577836800.123456)
justify_hours(interval '50 hours')
justify_days(interval '65 days')
isfinite(date 'infinity')
'2020-05-06 12:34:56.789'::timestamp::date
'2020-05-06 12:34:56.789'::timestamp::time
'2020-05-06 12:34:56.789'::timestamp::timestamptz
'2020-05-06 12:34:56.789+00'::timestamptz::timestamp
'2020-05-06 23:34:56.789+00'::timestamptz::date
time '10:11'::interval
interval '25 hours'::time
date '2020-01-01'::text
timestamptz '2020-07-01 12:00+00'::text
date 'infinity' + 1
to_char(timestamp '2020-05-06 13:02:03.456', 'YYYY-MM-DD HH24:MI:SS.MS')
to_char(timestamp '2020-05-06 13:02:03.456', 'YY Mon DD HH12:MI:SS AM')
to_char(timestamp '2020-05-06 13:02:03.456', 'FMDay, FMDDth Month YYYY')
to_char(timestamp '2020-05-06 13:02:03.456', 'Day DDD D Q WW IW J US')
to_char(timestamp '2020-05-06 03:02:03', 'FMHH24:FMMI "at" month MONTH dy DY')
to_char(timestamptz '2020-07-01 12:00+00', 'YYYY-MM-DD HH24:MI TZ OF')
to_char(interval '15 hours 2 minutes', 'HH24:MI')
to_char(125, '999')
to_char(125.8, '999D99')
to_char(-125.8, '999D99')
to_char(1234567.891, '9,999,999.99')
to_char(1234567.891, 'FM9,999,999.99')
to_char(12, '0000')
to_char(12, 'FM0000')
to_char(0.5, '9.99')
to_char(0.5, '0.99')
to_char(0.1, 'FM9.99')
to_char(0, '999')
to_char(0, 'FM999')
to_char(12345, '999')
to_char(-5, 'S99')
to_char(5, '99S')
to_char(-5, '99MI')
to_char(-5, '99PR')
to_char(5, '99PR')
to_char(485, '999th')
to_char(1.5::float8, '9.999')
to_char(-0.5, 'FM990.00')
to_char(1234, '9G999')
to_date('2020-05-06', 'YYYY-MM-DD')
to_date('06 May 2020', 'DD Mon YYYY')
to_date('20200506', 'YYYYMMDD')
to_date('2020-13-01', 'YYYY-MM-DD')
to_date('05/06/20', 'MM/DD/YY')
to_timestamp('2020-05-06 13:02:03', 'YYYY-MM-DD HH24:MI:SS')
to_timestamp('2020-05-06 01:02 PM', 'YYYY-MM-DD HH12:MI PM')
to_number('12,454.8-', '99G999D9S')
to_number('-123.45', '999D99')
abs(-5)
abs(-5.5)
abs(-5.5::float8)
ceil(1.2)
ceil(-1.2)
floor(-1.2)
floor(1.7::float8)
ceiling(1.2::float8)
round(2.5)
round(-2.5)
round(2.5::float8)
round(3.5::float8)
round(1234.567, 2)
round(1234.567, -2)
round(1.005, 2)
round(42, 2)
trunc(1.9)
trunc(-1.987, 2)
trunc(1.9::float8)
mod(7, 3)
mod(-7.5, 2)
power(2, 10)
power(2::numeric, 3)
power(2.5, 3.0)
power(1.05, 0.5)
power(2::numeric, -3)
power(1.1, 100)
power(0, 0)
power(-8, 1.0/3)
power(0::numeric, -1)
2 ^ 10
2.0 ^ 3
sqrt(2)
sqrt(2::numeric)
sqrt(10000::numeric)
sqrt(12345678.9)
sqrt(0.0001)
sqrt(-1)
sqrt(-1.0)
|/ 25
exp(1.0)
exp(10.5)
exp(-5.5)
exp(1::float8)
exp(1000::float8)
ln(2.0)
ln(0.95)
ln(12345.678)
ln(1.00001)
ln(0)
ln(-1.0)
log(100.0)
log(2.0, 64.0)
log(100::float8)
sign(-2.5)
sign(0.0)
sign(-3::float8)
pi()
degrees(pi())
gcd(12, 18)
lcm(4, 6)
div(7.5, 2)
scale(1.500)
trim_scale(1.500)
atan2(1, 1)
@ -5
5 & 3
5 | 3
5 # 3
~5
1 << 4
256 >> 4
1::int8 << 40
length('héllo')
char_length('abc')
octet_length('héllo')
bit_length('abc')
lower('ABC')
upper('abc')
initcap('hello wORLD foo-bar')
trim('  a  ')
trim(both 'x' from 'xxaxx')
trim(leading 'x' from 'xxaxx')
ltrim('xxa', 'x')
rtrim('axx', 'x')
btrim('xyaxy', 'xy')
lpad('5', 3, '0')
lpad('abc', 2)
rpad('5', 3, 'ab')
lpad('5', 3, '')
left('abcde', 2)
left('abcde', -2)
right('abcde', 2)
right('abcde', -2)
repeat('ab', 3)
repeat('ab', -1)
replace('abcabc', 'b', 'X')
replace('abc', '', 'X')
reverse('abc')
split_part('a,b,c', ',', 2)
split_part('a,b,c', ',', -1)
split_part('a,b,c', ',', 9)
split_part('a,b,c', ',', 0)
strpos('abc', 'c')
strpos('abc', 'x')
position('b' in 'abc')
substr('abcde', 2)
substr('abcde', 2, 3)
substr('abcde', -1, 4)
substr('abcde', 2, -1)
substring('abcde' from 2 for 2)
substring('abcde' for 2)
substring('foobar' from 'o(.)b')
substring('foobar', 'o.b')
overlay('abcdef' placing 'XX' from 2)
overlay('abcdef' placing 'XX' from 2 for 4)
concat('a', 1, null, true, 1.5)
concat_ws(',', 'a', null, 'b')
concat_ws(null, 'a', 'b')
translate('12345', '143', 'ax')
ascii('A')
ascii('é')
chr(65)
chr(0)
to_hex(255)
to_hex(-1)
md5('abc')
md5('\x00'::bytea)
encode('\x010203'::bytea, 'hex')
encode('abc'::bytea, 'base64')
encode('abcd'::bytea, 'base64')
encode('\x00ff41'::bytea, 'escape')
decode('YWJj', 'base64')
decode('616', 'hex')
decode('616263', 'hex')
encode('a', 'foo')
sha256('abc'::bytea)
starts_with('abc', 'ab')
quote_ident('abc')
quote_ident('Abc d')
quote_ident('select')
quote_literal('it''s')
quote_literal(E'a\\b')
quote_nullable(null)
format('%s-%I-%L %% %2$s', 'a', 'B c', 'd''e')
format('%s', null)
format('%s %s', 'a')
'abc' like 'a%'
'abc' like '_b_'
'abc' like 'b%'
'abc' not like 'a%'
'a%c' like 'a\%c'
'a%c' like 'a!%c' escape '!'
'ABC' ilike 'a%'
'abc' like '%b%c%'
'' like '%'
'é' like '_'
'abc' like 'abc\'
'abc' similar to '(a|b)%'
'abc' similar to 'b%'
'abc' ~ 'b'
'abc' ~ '^b'
'ABC' ~* 'b'
'abc' !~ 'x'
'ABC' !~* 'b'
'abc' ~ '('
regexp_replace('foobar', 'o+', 'X')
regexp_replace('foobar foo', 'fo+', '<\&>', 'g')
regexp_replace('abc', '(a)(b)', '\2\1')
regexp_match('foobar', 'o(.)b')
'{1,2,3}'::int[]
'{}'::int[]
'{a,"b c",NULL,"NULL","x\"y"}'::text[]
'{1,x}'::int[]
'{1,2'::int[]
'1,2'::int[]
array[1,2,3]
array['a','b c',null]
array[1,2.5]
array[]::int[]
array[]
(array[1,2,3])[2]
(array[1,2,3])[5]
array[1,2] || 3
0 || array[1,2]
array[1,2] || array[3]
array[1,2] = array[1,2]
array[1,2] < array[1,3]
array[1,2,3] @> array[2]
array[1] <@ array[1,2]
array[1,2] && array[2,3]
array_length(array[1,2,3], 1)
array_length('{}'::int[], 1)
cardinality(array[1,2])
array_append(array[1], 2)
array_position(array['a','b'], 'b')
array_to_string(array[1,null,3], ',', 'x')
string_to_array('a,b,,c', ',')
string_to_array('abc', null)
'{1,2}'::int[]::text
'{1,2}'::text[]::int[]
array[1,2]::text[]
'{"a": 1, "b": [1, 2]}'::json
'{"b": 1, "a": 2, "b": 3}'::jsonb
'{"bb": 1, "a": 2.50, "c": 1e2}'::jsonb
'[1, "a", null, true]'::jsonb
'{bad'::json
'{bad'::jsonb
'"\u00e9\n"'::jsonb
'"\u0000"'::jsonb
'{"a": {"b": 2}}'::json -> 'a'
'{"a": {"b": 2}}'::jsonb -> 'a' -> 'b'
'{"a": "x"}'::jsonb ->> 'a'
'{"a": null}'::jsonb ->> 'a'
'[1,2,3]'::jsonb -> 1
'[1,2,3]'::jsonb -> -1
'[1,2,3]'::jsonb ->> 5
'{"a": {"b": [1,2]}}'::jsonb #> '{a,b,1}'
'{"a": {"b": [1,2]}}'::jsonb #>> '{a,b}'
'{"a": 1, "b": 2}'::jsonb @> '{"a": 1}'
'[1,2,3]'::jsonb @> '[1]'
'[1,2,3]'::jsonb @> '1'
'{"a": 1}'::jsonb ? 'a'
'{"a": 1}'::jsonb || '{"b": 2}'
'{"a": 1, "b": 2}'::jsonb - 'a'
'[1,2,3]'::jsonb - 1
'{"a": {"b": 1}}'::jsonb #- '{a,b}'
'{"a": 1}'::jsonb = '{"a": 1.0}'
'{"a": 1}'::jsonb < '{"a": 2}'
'{"a":1}'::json = '{"a":1}'::json
jsonb_set('{"a": 1}', '{b}', '2')
jsonb_set('{"a": [1,2]}', '{a,0}', '9')
json_build_object('a', 1, 'b', 'x', 'c', null, 'd', true)
jsonb_build_object('b', 1.50, 'a', array[1,2])
json_build_object('a')
json_build_array(1, 'a', null)
to_json('a"b'::text)
to_jsonb(1.5)
to_jsonb(timestamp '2020-01-01 10:00')
to_json(timestamptz '2020-07-01 12:00+00')
to_json(array[1,2])
json_typeof('[1]')
jsonb_typeof('{"a":1}'::jsonb)
jsonb_array_length('[1,2]')
'5'::jsonb::int
'1.5'::jsonb::numeric
'"a"'::jsonb::int
'true'::jsonb::bool
jsonb_strip_nulls('{"a": null, "b": 1}')
'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid
'{A0EEBC999C0B4EF8BB6D6BB9BD380A11}'::uuid
'a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11'::uuid
'xyz'::uuid
'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid < 'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
123::oid
-1::oid
'-1'::oid
4294967295::oid
4294967296::oid
26::oid = 26
pg_typeof(1)
pg_typeof('a')
pg_typeof(1.5)
pg_typeof(null)
pg_typeof(array[1])
format_type(23, null)
format_type(1043, 14)
format_type(1700, 786438)
format_type(1042, null)
format_type(1042, 9)
current_schema
foo(1)
foo(1, 'a')
lower(1)
length(1)
substr('a', 'b')
abs('1')
abs('x')
round('1.5')
nosuchcolumn
t.x
1::foo
1 + true
true + true
date '2020-01-01' + date '2020-01-01'
'2020-01-01'::date + '1 day'
- 'a'
-'5'::text
not 1
1 ~ 2
'a' like 1
1::text like '1'
true > false
true < 1
num_nulls(1, null, null)
'abc' collate "C" < 'abd'
1 collate "C"
'a' is null
coalesce(null::int, 5)
(1 + 2) * 3
2 + 3 * 4
10 - 2 - 3
2 ^ 3 ^ 2
-2 ^ 2
1 = 1 and 2 = 2 or false
'x' || 1 + 2
1.0 = 1.00
1.10::text
0.0 * -1
-0.0
'-0'::float8
1::numeric / 3 * 3
100::numeric(10,2)
1e2::numeric
1000000000000000000000 * 1
9223372036854775807 * 2
9223372036854775807::numeric * 2
3000000000 + 3000000000
50000 * 50000
50000::int8 * 50000
timestamp '2020-01-01' - 1
interval '1 day' + 1
current_date - current_date
now() = now()
now() = transaction_timestamp()
now() is not null
localtimestamp - localtimestamp
'a' || 'b' || 'c'
null || null
'1' || 2.5
true || 'x'
array[1] || null::int
'{1}' || array[2]
2 * -3
- -3
+5
-(2 ^ 2)
-2 ^ 3 ^ 2
1 <> 2 and not 2 < 1
'2020-01-31'::date + interval '1 month 1 day'
'10:30'::time < '11:00'
'1 day'::interval < '25:00'
'2020-01-01' < current_date
timestamp '2020-01-01' < now()
1::bool
'1'::bool
'abc'::varchar
'abc'::varchar(10) = 'abc'
'a'::varchar || 'b'::varchar
'a'::varchar = 'a'::text
'a'::name = 'a'
length('a'::varchar)
upper('a'::varchar)
upper('ab'::char(4)) || '|'
coalesce('a'::varchar, 'b')
coalesce('a'::varchar, 'b'::text)
coalesce(1::int2, 2)
coalesce(1, 2::int8)
coalesce(1, 2::float4)
coalesce(null::date, '2020-01-01')
coalesce(date '2020-01-01', timestamp '2020-01-01 10:00')
greatest('2020-01-01'::date, '2021-01-01')
case when true then null else 5 end
case when true then 1::int2 else 2::int8 end
case when false then 'a' end is null
nullif(1, 1.0)
nullif(1.5, 1)
nullif(null, 1)
1 in (1, '2')
'a' in ('a'::varchar)
1 in ('x')
date '2020-01-01' in ('2020-01-01', '2020-01-02')
1::int8 in (1, 2)
1 between '0' and 2.5
'b' between 'a' and 'c'
1.5::numeric in (1.5::float8)
1::float4 = 1.1::float4
1.1::float4 = 1.1::float8
1.1::float4 = 1.1
1::int2 = 1::int8
16777217 = 16777217::float4
0.1 + 0.2
0.1::float8 = 0.1
5 / 2.0
5.00 / 2
1 / 3.00000000000000000000
22.0 / 7.0
1000000.0 / 0.001
123456.789 / 0.00012345
-1.0 / 3
0 / 5.5
0.00 * 1.5
1.23456789012345 * 9.87654321
99999.99 * 99999.99
12345678901234567890123456789012345678 % 1000
12345678901234567890.5 % 7.25
-7.5 % 2.5
12345678.9 - 12345678.90001
1.000 - 1
1e-30::numeric * 1e10
round(0.5)
round(1.5)
round(-0.5)
round(0.45, 1)
round(123.456, 0)
round(123.456, -3)
round(999.995, 2)
trunc(123.456, -1)
ceil(0.0)
ceil(-0.5)
floor(-0.5)
floor(5)
abs(-0.0)
sqrt(0::numeric)
sqrt(1e20::numeric)
sqrt(3.0)
sqrt(0.5)
exp(0.0)
exp(20.5)
ln(10)
ln(10.0)
ln(0.5)
ln(99999999.0)
log(2.0)
log(1000)
log(3.0, 10.0)
power(1.0000001, 1000)
power(9.99, 2.5)
power(0.5, 10)
power(0.1::numeric, 5)
power(2, 0.5)
power(-2.0, 3)
power(2.0, 100)
power(10.0, -5)
power(100.0, 0.5)
1.5::float8::text
1e22::float8
123456.789::float8
1e-5::float8
-1e-300::float8
4.35::float8 * 100
1/3.0::float8
100::float8
1e14::float8
999999999999999::float8
1.17549435e-38::float4
3.4028235e38::float4
0.3::float4
1e-4::float4
123456.7::float4
1234567.8::float4
'0x10'::int
'1_000'::int
' 5'::int8
'+5'::int
'--5'::int
'5 5'::int
'1e2'::int
'1e2'::float8
'.5'::float8
'5.'::float8
'5.'::numeric
'-.5'::numeric
'+1.5'::numeric
'1 '::numeric
'1 2'::numeric
'NaN '::float8
' infinity '::float8
'00012'::int
'-0'::int
'-0.0'::numeric
'0.000'::numeric
1.0::int
-0.5::numeric::int
0.5::numeric::int
1.5::numeric::int8
2.5::numeric::int8
1e15::numeric::int
99999.5::numeric::int2
1::numeric(3,1)
99.95::numeric(3,1)
99.94::numeric(3,1)
'99.95'::numeric(3,1)
0.05::numeric(2,2)
1::numeric(2,2)
1::numeric(0)
1.5::numeric(2,-1)
15.5::numeric(2,-1)
'2020-1-2'::date
'2020/01/02'::date
'2020.01.02'::date
'1/2/2020'::date
'1-2-2020'::date
'12-31-99'::date
'31 Dec 2020'::date
'Dec 31 2020'::date
'December 31, 2020'::date
'2020 Dec 31'::date
'2020-Dec-31'::date
'31-12-2020'::date
'Fri 03 Jan 2020'::date
'20201'::date
'2020'::date
'2020-01'::date
'1'::date
'2020-00-01'::date
'2020-01-00'::date
'2021-02-29'::date
'2020-02-29'::date
'1900-02-29'::date
'10000-01-01'::date
'99999-12-31'::date
'2020-01-01 BC'::date
'2020-01-01 AD'::date
'2020-01-01 00:00:00+00'::date
'2020-01-01x'::date
'today foo'::date
'01:02:03.4567891'::time
'1:2:3'::time
'01:02:03 PM'::time
'13:00 PM'::time
'00:00 AM'::time
'12:00 PM'::time
'01:02:03+05'::time
'0102'::time
'01:02:03.5 am'::time
'2020-01-01 01:02:03'::time
'-01:00'::time
'2020-01-01 1:2:3'::timestamp
'2020-01-01 010203'::timestamp
'2020-01-01 01:02:03 PM'::timestamp
'2020-01-01T01:02:03Z'::timestamp
'2020-01-01T01:02:03.123Z'::timestamptz
'2020-01-01T01:02:03+0530'::timestamptz
'2020-01-01 01:02:03 +05:30'::timestamptz
'2020-01-01 01:02:03 PST'::timestamptz
'2020-01-01 01:02:03 CEST'::timestamptz
'2020-01-01 01:02:03 utc'::timestamptz
'2020-01-01 01:02:03 Europe/London'::timestamptz
'2020-06-15 01:02:03 -08:00:00'::timestamptz
'0099-01-01 00:00:00'::timestamp
'2020-01-01 00:00:00 BC'::timestamp
'2020-01-01 10:11:12.9999999'::timestamp
'2020-01-01 23:59:59.9999999'::timestamp
'2020-01-01 10'::timestamp
'2020-01-01 10:11:12 foo'::timestamp
'now'::timestamp is null
'1 day 2 hours'::interval
'1d 2h 3m 4s'::interval
'1day'::interval
'1 year -1 month'::interval
'-1 year -2 months +3 days -04:05:06'::interval
'1 hour 30'::interval
'30'::interval
'1:30'::interval
'1:30:15.25'::interval
'-1:30'::interval
'1 week 1 day'::interval
'1 decade'::interval
'1.1 years'::interval
'0.5 month'::interval
'1.5 weeks'::interval
'2.5 hours'::interval
'1 day 1 day'::interval
'P1W'::interval
'PT36H'::interval
'P0.5D'::interval
'P'::interval
'1-13'::interval
'-1-2'::interval
'1 second 500 ms'::interval
'100000000000 us'::interval
'24:00:00'::interval
'00:60:00'::interval
'1 month 1 day 1 second'::interval(0)
'1.55 seconds'::interval(1)
interval '1 year' / 7
interval '1 day' * 0.1
interval '1 month' * 1.5
interval '1 year 2 months 3 days' * -1
interval '3 days' - interval '1 month'
justify_hours(interval '-25 hours')
extract(epoch from interval '1 month')
extract(epoch from interval '-1.5 seconds')
extract(epoch from date '1970-01-02')
extract(epoch from time '01:00')
extract(second from timestamp '2020-01-01 00:00:05.5')
extract(second from interval '65.25 seconds')
extract(week from timestamp '2021-01-03')
extract(dow from timestamp '2021-01-03')
extract(timezone from timestamp '2021-01-03')
extract('year' from date '2020-01-01')
extract(century from date '1900-12-31')
extract(julian from timestamp '2000-01-01 12:00')
date_part('hour', time '10:20')
date_part('day', interval '3 days')
date_trunc('decade', timestamp '1999-05-05')
date_trunc('millennium', timestamp '2020-05-05')
date_trunc('year', timestamptz '2020-05-05 00:00+00')
date_trunc('week', date '2020-05-06')
date_trunc('milliseconds', timestamp '2020-01-01 00:00:00.123456')
date_trunc('second', timestamp '1999-12-31 23:59:59.9')
date_trunc('year', interval '30 months')
age(date '2020-03-31', date '2020-02-29')
age(timestamp '2020-01-01', timestamp '2020-01-01')
to_char(timestamp '2020-05-06 00:02:03', 'HH12:MI am')
to_char(timestamp '2020-05-06 12:02:03', 'HH:MI P.M.')
to_char(timestamp '2020-05-06 12:02:03', 'FMMM/FMDD/YY')
to_char(date '2020-12-31', 'IYYY-IW-ID')
to_char(timestamp '2020-05-06', 'yyyy-mm-dd')
to_char(timestamp '2020-05-06', 'Mon DDth, YYYY')
to_char(timestamp '2020-05-06 01:02:03.000045', 'SS.US')
to_char(timestamp '0044-03-15 BC', 'YYYY BC')
to_char(1234.5, '99999.99')
to_char(1234.5, 'L9999.99')
to_char(0.12345, '0.999')
to_char(-1234, '9,999')
to_char(1000000, '9,999,999')
to_char(123, '99,999')
to_char(5, '009')
to_char(5, '9 9')
to_char(12.34, '99')
to_char(99.99, '99.9')
to_char(1, 'S9')
to_char(-1, 'SG9')
to_char(1, '9SG')
to_char(3.14159::float4, '9.99999')
to_char(9007199254740993, '9999999999999999')
lpad('abc', 6, 'xy')
lpad('abc', -1, 'x')
rpad('abcdef', 3)
split_part('a||b||c', '||', 3)
split_part('', ',', 1)
substr('abc', 5)
substr('hello', 0, 3)
substring('hello', 2)
substring('abc' from -1)
position('' in 'abc')
strpos('', 'a')
replace('aaa', 'a', 'aa')
translate('abc', '', 'x')
initcap('o''neil ünder')
concat()
concat(null, null)
concat(1, 2)
concat_ws('-', 1, 2.5, true)
format('Hello %s, %s', 'a', 1)
format('%2$s %1$s', 'a', 'b')
left('', 5)
right('abc', 0)
md5('')
encode('\xdeadbeef', 'hex')
encode('hello world, this is a somewhat longer text to be encoded in base64 for lines'::bytea, 'base64')
decode('!!', 'base64')
decode('a\\b', 'escape')
'abc' like 'A%'
'abc' like '%'
'abc' like ''
'a_c' like 'a\_c'
'abc' like null
'abc' like 'a%' and 'abc' not like '%d'
'abc' not ilike 'AB_'
'abc' similar to '[a-c]+'
'abc' ~ '^a.c$'
'a.c' ~ 'a\.c'
regexp_replace('abc', 'b', '')
regexp_replace('aaa', 'a', 'b', 'g')
regexp_replace('ABC', 'b', 'x', 'i')
regexp_match('abc', 'x')
array['a', 'b'] @> array['a']
array[1,2]::int8[]
array[1,null,3]
array[[1,2],[3,4]]
'{{1,2},{3,4}}'::int[]
'{ 1 , 2 }'::int[]
'{"a,b",c}'::text[]
'{a\,b}'::text[]
'{"1","2"}'::int[]
'{null}'::text[]
'{NULL}'::int[]
'{1,,2}'::int[]
'{1}x'::int[]
array[1,2] = '{1,2}'
array[1,2] <> array[2,1]
array['2020-01-01'::date]
array[true,false]
array_upper(array[1,2,3], 1)
array_lower(array[1,2,3], 1)
array_prepend(0, array[1])
array_cat(array[1], array[2])
string_to_array('a,b', ',', 'a')
string_to_array('', ',')
array_to_string(array['a','b'], '-')
'[1, 2]'::json -> 0
'{"a": [1, {"b":  2}]}'::json #> '{a,1}'
'{"a": "x\ny"}'::json ->> 'a'
'{"a": 1.50}'::json ->> 'a'
'{"a": 1.50}'::jsonb ->> 'a'
'{"a": true}'::jsonb ->> 'a'
'{"a": {"b": 1}}'::jsonb ->> 'a'
'{"a": 1}'::json ->> 'b'
'"x"'::json ->> 0
'{"a":1}'::jsonb -> 'a' = '1'
('{"a":1}'::jsonb ->> 'a')::int + 1
'{"a": [1,2]}'::jsonb @> '{"a": [2]}'
'{"a": 1}'::jsonb <@ '{"a": 1, "b": 2}'
'["a","b"]'::jsonb ? 'b'
'{"a":1,"b":2}'::jsonb ?| array['x','b']
'{"a":1,"b":2}'::jsonb ?& array['a','b']
'[1,2]'::jsonb || '3'
'[1]'::jsonb || '[2]'
'{"a":1}'::jsonb || '{"a":2}'
'1'::jsonb || '2'
'[]'::jsonb
'{}'::jsonb
'  {"a" :  1 }  '::json
'1e5'::jsonb
'-0'::jsonb
'1.0'::jsonb = '1'
'"abc"'::jsonb
'nul'::json
''::json
'[1,]'::json
'{"a":1'::json
'[1] x'::json
jsonb_pretty('{"a": [1, 2], "b": {}}')
to_jsonb('x'::text)
to_json(null::int)
to_json(1.50)
to_json(date '2020-01-01')
jsonb_build_array(1, 'a', null, true)
jsonb_build_object('a', jsonb_build_object('b', 1))
json_array_length('[1,2,3]')
jsonb_array_length('{}')
jsonb_typeof('null')
'23'::regtype
'integer'::regtype
'int4'::regtype
'nosuchtype'::regtype
quote_literal(1)
quote_ident('a1')
quote_ident('1a')
quote_ident('user')
quote_ident('é')
num_nonnulls(1, null)
cast(null as int)
cast('1' as numeric(4,2))
cast(1 as text)
cast(1.5 as varchar(2))
int '5'
text 'a'
bool 'true'
numeric '1.50'
float8 '1.5'
timestamp with time zone '2020-07-01 12:00+00'
date('2020-01-01 10:00'::timestamp)
1::text || 'x'
(1 = 1)::text
(1 = 1) || 'x'
1 is null or true
(null::bool) is true
not null::bool
null::int = any('{1}')
1 = any(null::int[])
1 = all('{}'::int[])
1 = any('{}'::int[])
'a' < any(array['b'])
5 >= all(array[1,5])
1 = any(array['1'])
'x' = any('{x}')
(1, 'a') = (1, 'a')
(1, 2) <> (1, 2)
(1, 2, 3) < (1, 2, 4)
(1, 2) = (1, 2, 3)
row(1, 2) = row(1, 2)
(1, 2) is not null
(1, 2) is distinct from (1, 3)
current_user is not null
substring('abc', 2, 1) || 'x'
length(repeat('x', 10000))
mod(5, 0)
mod(5.5, 0)
9223372036854775807 - -1
-9223372036854775807 - 2
3037000500 * 3037000500
2147483647::int4 * 2
200::int2 * 200::int2
-32768::int2
(-32768)::int2 / (-1)::int2
1 << 32
-1 >> 1
7 & 3 | 8
abs(-9223372036854775808)
upper('éß')
lower('ÉÀ')
'É' ilike 'é'
'É' ~* 'é'
'x' || 'x'
'x' || 'x'::text
'x' || 'x'::varchar
'x' || 'x '::char(3)
'x' || 'x'::name
'x' || 'x'::"char"
'x' || null
'x' || 1
'x' || 1.5
'x' || 2::int2
'x' || 3::int8
'x' || 1::float4
'x' || 1::float8
'x' || true
'x' || date '2020-01-02'
'x' || timestamp '2020-01-02 03:04:05'
'x' || interval '1 day'
'x' || '\x41'::bytea
'x' || array[1,2]
'x' || array['a','b']
'x' || '{"a":1}'::jsonb
'x' || '[1]'::json
'x' || '{1}'
'x' || '{}'
'x' || uuid '00000000-0000-0000-0000-000000000001'
'x'::text || 'x'
'x'::text || 'x'::text
'x'::text || 'x'::varchar
'x'::text || 'x '::char(3)
'x'::text || 'x'::name
'x'::text || 'x'::"char"
'x'::text || null
'x'::text || 1
'x'::text || 1.5
'x'::text || 2::int2
'x'::text || 3::int8
'x'::text || 1::float4
'x'::text || 1::float8
'x'::text || true
'x'::text || date '2020-01-02'
'x'::text || timestamp '2020-01-02 03:04:05'
'x'::text || interval '1 day'
'x'::text || '\x41'::bytea
'x'::text || array[1,2]
'x'::text || array['a','b']
'x'::text || '{"a":1}'::jsonb
'x'::text || '[1]'::json
'x'::text || '{1}'
'x'::text || '{}'
'x'::text || uuid '00000000-0000-0000-0000-000000000001'
'x'::varchar || 'x'
'x'::varchar || 'x'::text
'x'::varchar || 'x'::varchar
'x'::varchar || 'x '::char(3)
'x'::varchar || 'x'::name
'x'::varchar || 'x'::"char"
'x'::varchar || null
'x'::varchar || 1
'x'::varchar || 1.5
'x'::varchar || 2::int2
'x'::varchar || 3::int8
'x'::varchar || 1::float4
'x'::varchar || 1::float8
'x'::varchar || true
'x'::varchar || date '2020-01-02'
'x'::varchar || timestamp '2020-01-02 03:04:05'
'x'::varchar || interval '1 day'
'x'::varchar || '\x41'::bytea
'x'::varchar || array[1,2]
'x'::varchar || array['a','b']
'x'::varchar || '{"a":1}'::jsonb
'x'::varchar || '[1]'::json
'x'::varchar || '{1}'
'x'::varchar || '{}'
'x'::varchar || uuid '00000000-0000-0000-0000-000000000001'
'x '::char(3) || 'x'
'x '::char(3) || 'x'::text
'x '::char(3) || 'x'::varchar
'x '::char(3) || 'x '::char(3)
'x '::char(3) || 'x'::name
'x '::char(3) || 'x'::"char"
'x '::char(3) || null
'x '::char(3) || 1
'x '::char(3) || 1.5
'x '::char(3) || 2::int2
'x '::char(3) || 3::int8
'x '::char(3) || 1::float4
'x '::char(3) || 1::float8
'x '::char(3) || true
'x '::char(3) || date '2020-01-02'
'x '::char(3) || timestamp '2020-01-02 03:04:05'
'x '::char(3) || interval '1 day'
'x '::char(3) || '\x41'::bytea
'x '::char(3) || array[1,2]
'x '::char(3) || array['a','b']
'x '::char(3) || '{"a":1}'::jsonb
'x '::char(3) || '[1]'::json
'x '::char(3) || '{1}'
'x '::char(3) || '{}'
'x '::char(3) || uuid '00000000-0000-0000-0000-000000000001'
'x'::name || 'x'
'x'::name || 'x'::text
'x'::name || 'x'::varchar
'x'::name || 'x '::char(3)
'x'::name || 'x'::name
'x'::name || 'x'::"char"
'x'::name || null
'x'::name || 1
'x'::name || 1.5
'x'::name || 2::int2
'x'::name || 3::int8
'x'::name || 1::float4
'x'::name || 1::float8
'x'::name || true
'x'::name || date '2020-01-02'
'x'::name || timestamp '2020-01-02 03:04:05'
'x'::name || interval '1 day'
'x'::name || '\x41'::bytea
'x'::name || array[1,2]
'x'::name || array['a','b']
'x'::name || '{"a":1}'::jsonb
'x'::name || '[1]'::json
'x'::name || '{1}'
'x'::name || '{}'
'x'::name || uuid '00000000-0000-0000-0000-000000000001'
'x'::"char" || 'x'
'x'::"char" || 'x'::text
'x'::"char" || 'x'::varchar
'x'::"char" || 'x '::char(3)
'x'::"char" || 'x'::name
'x'::"char" || 'x'::"char"
'x'::"char" || null
'x'::"char" || 1
'x'::"char" || 1.5
'x'::"char" || 2::int2
'x'::"char" || 3::int8
'x'::"char" || 1::float4
'x'::"char" || 1::float8
'x'::"char" || true
'x'::"char" || date '2020-01-02'
'x'::"char" || timestamp '2020-01-02 03:04:05'
'x'::"char" || interval '1 day'
'x'::"char" || '\x41'::bytea
'x'::"char" || array[1,2]
'x'::"char" || array['a','b']
'x'::"char" || '{"a":1}'::jsonb
'x'::"char" || '[1]'::json
'x'::"char" || '{1}'
'x'::"char" || '{}'
'x'::"char" || uuid '00000000-0000-0000-0000-000000000001'
null || 'x'
null || 'x'::text
null || 'x'::varchar
null || 'x '::char(3)
null || 'x'::name
null || 'x'::"char"
null || 1
null || 1.5
null || 2::int2
null || 3::int8
null || 1::float4
null || 1::float8
null || true
null || date '2020-01-02'
null || timestamp '2020-01-02 03:04:05'
null || interval '1 day'
null || '\x41'::bytea
null || array[1,2]
null || array['a','b']
null || '{"a":1}'::jsonb
null || '[1]'::json
null || '{1}'
null || '{}'
null || uuid '00000000-0000-0000-0000-000000000001'
1 || 'x'
1 || 'x'::text
1 || 'x'::varchar
1 || 'x '::char(3)
1 || 'x'::name
1 || 'x'::"char"
1 || null
1 || 1
1 || 1.5
1 || 2::int2
1 || 3::int8
1 || 1::float4
1 || 1::float8
1 || true
1 || date '2020-01-02'
1 || timestamp '2020-01-02 03:04:05'
1 || interval '1 day'
1 || '\x41'::bytea
1 || array[1,2]
1 || array['a','b']
1 || '{"a":1}'::jsonb
1 || '[1]'::json
1 || '{1}'
1 || '{}'
1 || uuid '00000000-0000-0000-0000-000000000001'
1.5 || 'x'
1.5 || 'x'::text
1.5 || 'x'::varchar
1.5 || 'x '::char(3)
1.5 || 'x'::name
1.5 || 'x'::"char"
1.5 || null
1.5 || 1
1.5 || 1.5
1.5 || 2::int2
1.5 || 3::int8
1.5 || 1::float4
1.5 || 1::float8
1.5 || true
1.5 || date '2020-01-02'
1.5 || timestamp '2020-01-02 03:04:05'
1.5 || interval '1 day'
1.5 || '\x41'::bytea
1.5 || array[1,2]
1.5 || array['a','b']
1.5 || '{"a":1}'::jsonb
1.5 || '[1]'::json
1.5 || '{1}'
1.5 || '{}'
1.5 || uuid '00000000-0000-0000-0000-000000000001'
2::int2 || 'x'
2::int2 || 'x'::text
2::int2 || 'x'::varchar
2::int2 || 'x '::char(3)
2::int2 || 'x'::name
2::int2 || 'x'::"char"
2::int2 || null
2::int2 || 1
2::int2 || 1.5
2::int2 || 2::int2
2::int2 || 3::int8
2::int2 || 1::float4
2::int2 || 1::float8
2::int2 || true
2::int2 || date '2020-01-02'
2::int2 || timestamp '2020-01-02 03:04:05'
2::int2 || interval '1 day'
2::int2 || '\x41'::bytea
2::int2 || array[1,2]
2::int2 || array['a','b']
2::int2 || '{"a":1}'::jsonb
2::int2 || '[1]'::json
2::int2 || '{1}'
2::int2 || '{}'
2::int2 || uuid '00000000-0000-0000-0000-000000000001'
3::int8 || 'x'
3::int8 || 'x'::text
3::int8 || 'x'::varchar
3::int8 || 'x '::char(3)
3::int8 || 'x'::name
3::int8 || 'x'::"char"
3::int8 || null
3::int8 || 1
3::int8 || 1.5
3::int8 || 2::int2
3::int8 || 3::int8
3::int8 || 1::float4
3::int8 || 1::float8
3::int8 || true
3::int8 || date '2020-01-02'
3::int8 || timestamp '2020-01-02 03:04:05'
3::int8 || interval '1 day'
3::int8 || '\x41'::bytea
3::int8 || array[1,2]
3::int8 || array['a','b']
3::int8 || '{"a":1}'::jsonb
3::int8 || '[1]'::json
3::int8 || '{1}'
3::int8 || '{}'
3::int8 || uuid '00000000-0000-0000-0000-000000000001'
1::float4 || 'x'
1::float4 || 'x'::text
1::float4 || 'x'::varchar
1::float4 || 'x '::char(3)
1::float4 || 'x'::name
1::float4 || 'x'::"char"
1::float4 || null
1::float4 || 1
1::float4 || 1.5
1::float4 || 2::int2
1::float4 || 3::int8
1::float4 || 1::float4
1::float4 || 1::float8
1::float4 || true
1::float4 || date '2020-01-02'
1::float4 || timestamp '2020-01-02 03:04:05'
1::float4 || interval '1 day'
1::float4 || '\x41'::bytea
1::float4 || array[1,2]
1::float4 || array['a','b']
1::float4 || '{"a":1}'::jsonb
1::float4 || '[1]'::json
1::float4 || '{1}'
1::float4 || '{}'
1::float4 || uuid '00000000-0000-0000-0000-000000000001'
1::float8 || 'x'
1::float8 || 'x'::text
1::float8 || 'x'::varchar
1::float8 || 'x '::char(3)
1::float8 || 'x'::name
1::float8 || 'x'::"char"
1::float8 || null
1::float8 || 1
1::float8 || 1.5
1::float8 || 2::int2
1::float8 || 3::int8
1::float8 || 1::float4
1::float8 || 1::float8
1::float8 || true
1::float8 || date '2020-01-02'
1::float8 || timestamp '2020-01-02 03:04:05'
1::float8 || interval '1 day'
1::float8 || '\x41'::bytea
1::float8 || array[1,2]
1::float8 || array['a','b']
1::float8 || '{"a":1}'::jsonb
1::float8 || '[1]'::json
1::float8 || '{1}'
1::float8 || '{}'
1::float8 || uuid '00000000-0000-0000-0000-000000000001'
true || 'x'::text
true || 'x'::varchar
true || 'x '::char(3)
true || 'x'::name
true || 'x'::"char"
true || null
true || 1
true || 1.5
true || 2::int2
true || 3::int8
true || 1::float4
true || 1::float8
true || true
true || date '2020-01-02'
true || timestamp '2020-01-02 03:04:05'
true || interval '1 day'
true || '\x41'::bytea
true || array[1,2]
true || array['a','b']
true || '{"a":1}'::jsonb
true || '[1]'::json
true || '{1}'
true || '{}'
true || uuid '00000000-0000-0000-0000-000000000001'
date '2020-01-02' || 'x'
date '2020-01-02' || 'x'::text
date '2020-01-02' || 'x'::varchar
date '2020-01-02' || 'x '::char(3)
date '2020-01-02' || 'x'::name
date '2020-01-02' || 'x'::"char"
date '2020-01-02' || null
date '2020-01-02' || 1
date '2020-01-02' || 1.5
date '2020-01-02' || 2::int2
date '2020-01-02' || 3::int8
date '2020-01-02' || 1::float4
date '2020-01-02' || 1::float8
date '2020-01-02' || true
date '2020-01-02' || date '2020-01-02'
date '2020-01-02' || timestamp '2020-01-02 03:04:05'
date '2020-01-02' || interval '1 day'
date '2020-01-02' || '\x41'::bytea
date '2020-01-02' || array[1,2]
date '2020-01-02' || array['a','b']
date '2020-01-02' || '{"a":1}'::jsonb
date '2020-01-02' || '[1]'::json
date '2020-01-02' || '{1}'
date '2020-01-02' || '{}'
date '2020-01-02' || uuid '00000000-0000-0000-0000-000000000001'
timestamp '2020-01-02 03:04:05' || 'x'
timestamp '2020-01-02 03:04:05' || 'x'::text
timestamp '2020-01-02 03:04:05' || 'x'::varchar
timestamp '2020-01-02 03:04:05' || 'x '::char(3)
timestamp '2020-01-02 03:04:05' || 'x'::name
timestamp '2020-01-02 03:04:05' || 'x'::"char"
timestamp '2020-01-02 03:04:05' || null
timestamp '2020-01-02 03:04:05' || 1
timestamp '2020-01-02 03:04:05' || 1.5
timestamp '2020-01-02 03:04:05' || 2::int2
timestamp '2020-01-02 03:04:05' || 3::int8
timestamp '2020-01-02 03:04:05' || 1::float4
timestamp '2020-01-02 03:04:05' || 1::float8
timestamp '2020-01-02 03:04:05' || true
timestamp '2020-01-02 03:04:05' || date '2020-01-02'
timestamp '2020-01-02 03:04:05' || timestamp '2020-01-02 03:04:05'
timestamp '2020-01-02 03:04:05' || interval '1 day'
timestamp '2020-01-02 03:04:05' || '\x41'::bytea
timestamp '2020-01-02 03:04:05' || array[1,2]
timestamp '2020-01-02 03:04:05' || array['a','b']
timestamp '2020-01-02 03:04:05' || '{"a":1}'::jsonb
timestamp '2020-01-02 03:04:05' || '[1]'::json
timestamp '2020-01-02 03:04:05' || '{1}'
timestamp '2020-01-02 03:04:05' || '{}'
timestamp '2020-01-02 03:04:05' || uuid '00000000-0000-0000-0000-000000000001'
interval '1 day' || 'x'
interval '1 day' || 'x'::text
interval '1 day' || 'x'::varchar
interval '1 day' || 'x '::char(3)
interval '1 day' || 'x'::name
interval '1 day' || 'x'::"char"
interval '1 day' || null
interval '1 day' || 1
interval '1 day' || 1.5
interval '1 day' || 2::int2
interval '1 day' || 3::int8
interval '1 day' || 1::float4
interval '1 day' || 1::float8
interval '1 day' || true
interval '1 day' || date '2020-01-02'
interval '1 day' || timestamp '2020-01-02 03:04:05'
interval '1 day' || interval '1 day'
interval '1 day' || '\x41'::bytea
interval '1 day' || array[1,2]
interval '1 day' || array['a','b']
interval '1 day' || '{"a":1}'::jsonb
interval '1 day' || '[1]'::json
interval '1 day' || '{1}'
interval '1 day' || '{}'
interval '1 day' || uuid '00000000-0000-0000-0000-000000000001'
'\x41'::bytea || 'x'
'\x41'::bytea || 'x'::text
'\x41'::bytea || 'x'::varchar
'\x41'::bytea || 'x '::char(3)
'\x41'::bytea || 'x'::name
'\x41'::bytea || 'x'::"char"
'\x41'::bytea || null
'\x41'::bytea || 1
'\x41'::bytea || 1.5
'\x41'::bytea || 2::int2
'\x41'::bytea || 3::int8
'\x41'::bytea || 1::float4
'\x41'::bytea || 1::float8
'\x41'::bytea || true
'\x41'::bytea || date '2020-01-02'
'\x41'::bytea || timestamp '2020-01-02 03:04:05'
'\x41'::bytea || interval '1 day'
'\x41'::bytea || '\x41'::bytea
'\x41'::bytea || array[1,2]
'\x41'::bytea || array['a','b']
'\x41'::bytea || '{"a":1}'::jsonb
'\x41'::bytea || '[1]'::json
'\x41'::bytea || '{1}'
'\x41'::bytea || '{}'
'\x41'::bytea || uuid '00000000-0000-0000-0000-000000000001'
array[1,2] || 'x'
array[1,2] || 'x'::text
array[1,2] || 'x'::varchar
array[1,2] || 'x '::char(3)
array[1,2] || 'x'::name
array[1,2] || 'x'::"char"
array[1,2] || null
array[1,2] || 1
array[1,2] || 1.5
array[1,2] || 2::int2
array[1,2] || 3::int8
array[1,2] || 1::float4
array[1,2] || 1::float8
array[1,2] || true
array[1,2] || date '2020-01-02'
array[1,2] || timestamp '2020-01-02 03:04:05'
array[1,2] || interval '1 day'
array[1,2] || '\x41'::bytea
array[1,2] || array[1,2]
array[1,2] || array['a','b']
array[1,2] || '{"a":1}'::jsonb
array[1,2] || '[1]'::json
array[1,2] || '{1}'
array[1,2] || '{}'
array[1,2] || uuid '00000000-0000-0000-0000-000000000001'
array['a','b'] || 'x'
array['a','b'] || 'x'::text
array['a','b'] || 'x'::varchar
array['a','b'] || 'x '::char(3)
array['a','b'] || 'x'::name
array['a','b'] || 'x'::"char"
array['a','b'] || null
array['a','b'] || 1
array['a','b'] || 1.5
array['a','b'] || 2::int2
array['a','b'] || 3::int8
array['a','b'] || 1::float4
array['a','b'] || 1::float8
array['a','b'] || true
array['a','b'] || date '2020-01-02'
array['a','b'] || timestamp '2020-01-02 03:04:05'
array['a','b'] || interval '1 day'
array['a','b'] || '\x41'::bytea
array['a','b'] || array[1,2]
array['a','b'] || array['a','b']
array['a','b'] || '{"a":1}'::jsonb
array['a','b'] || '[1]'::json
array['a','b'] || '{1}'
array['a','b'] || '{}'
array['a','b'] || uuid '00000000-0000-0000-0000-000000000001'
'{"a":1}'::jsonb || 'x'
'{"a":1}'::jsonb || 'x'::text
'{"a":1}'::jsonb || 'x'::varchar
'{"a":1}'::jsonb || 'x '::char(3)
'{"a":1}'::jsonb || 'x'::name
'{"a":1}'::jsonb || 'x'::"char"
'{"a":1}'::jsonb || null
'{"a":1}'::jsonb || 1
'{"a":1}'::jsonb || 1.5
'{"a":1}'::jsonb || 2::int2
'{"a":1}'::jsonb || 3::int8
'{"a":1}'::jsonb || 1::float4
'{"a":1}'::jsonb || 1::float8
'{"a":1}'::jsonb || true
'{"a":1}'::jsonb || date '2020-01-02'
'{"a":1}'::jsonb || timestamp '2020-01-02 03:04:05'
'{"a":1}'::jsonb || interval '1 day'
'{"a":1}'::jsonb || '\x41'::bytea
'{"a":1}'::jsonb || array[1,2]
'{"a":1}'::jsonb || array['a','b']
'{"a":1}'::jsonb || '{"a":1}'::jsonb
'{"a":1}'::jsonb || '[1]'::json
'{"a":1}'::jsonb || '{1}'
'{"a":1}'::jsonb || '{}'
'{"a":1}'::jsonb || uuid '00000000-0000-0000-0000-000000000001'
'[1]'::json || 'x'
'[1]'::json || 'x'::text
'[1]'::json || 'x'::varchar
'[1]'::json || 'x '::char(3)
'[1]'::json || 'x'::name
'[1]'::json || 'x'::"char"
'[1]'::json || null
'[1]'::json || 1
'[1]'::json || 1.5
'[1]'::json || 2::int2
'[1]'::json || 3::int8
'[1]'::json || 1::float4
'[1]'::json || 1::float8
'[1]'::json || true
'[1]'::json || date '2020-01-02'
'[1]'::json || timestamp '2020-01-02 03:04:05'
'[1]'::json || interval '1 day'
'[1]'::json || '\x41'::bytea
'[1]'::json || array[1,2]
'[1]'::json || array['a','b']
'[1]'::json || '{"a":1}'::jsonb
'[1]'::json || '[1]'::json
'[1]'::json || '{1}'
'[1]'::json || '{}'
'[1]'::json || uuid '00000000-0000-0000-0000-000000000001'
'{1}' || 'x'
'{1}' || 'x'::text
'{1}' || 'x'::varchar
'{1}' || 'x '::char(3)
'{1}' || 'x'::name
'{1}' || 'x'::"char"
'{1}' || null
'{1}' || 1
'{1}' || 1.5
'{1}' || 2::int2
'{1}' || 3::int8
'{1}' || 1::float4
'{1}' || 1::float8
'{1}' || true
'{1}' || date '2020-01-02'
'{1}' || timestamp '2020-01-02 03:04:05'
'{1}' || interval '1 day'
'{1}' || '\x41'::bytea
'{1}' || array[1,2]
'{1}' || array['a','b']
'{1}' || '{"a":1}'::jsonb
'{1}' || '[1]'::json
'{1}' || '{1}'
'{1}' || '{}'
'{1}' || uuid '00000000-0000-0000-0000-000000000001'
'{}' || 'x'
'{}' || 'x'::text
'{}' || 'x'::varchar
'{}' || 'x '::char(3)
'{}' || 'x'::name
'{}' || 'x'::"char"
'{}' || null
'{}' || 1
'{}' || 1.5
'{}' || 2::int2
'{}' || 3::int8
'{}' || 1::float4
'{}' || 1::float8
'{}' || true
'{}' || date '2020-01-02'
'{}' || timestamp '2020-01-02 03:04:05'
'{}' || interval '1 day'
'{}' || '\x41'::bytea
'{}' || array[1,2]
'{}' || array['a','b']
'{}' || '{"a":1}'::jsonb
'{}' || '[1]'::json
'{}' || '{1}'
'{}' || '{}'
'{}' || uuid '00000000-0000-0000-0000-000000000001'
uuid '00000000-0000-0000-0000-000000000001' || 'x'
uuid '00000000-0000-0000-0000-000000000001' || 'x'::text
uuid '00000000-0000-0000-0000-000000000001' || 'x'::varchar
uuid '00000000-0000-0000-0000-000000000001' || 'x '::char(3)
uuid '00000000-0000-0000-0000-000000000001' || 'x'::name
uuid '00000000-0000-0000-0000-000000000001' || 'x'::"char"
uuid '00000000-0000-0000-0000-000000000001' || null
uuid '00000000-0000-0000-0000-000000000001' || 1
uuid '00000000-0000-0000-0000-000000000001' || 1.5
uuid '00000000-0000-0000-0000-000000000001' || 2::int2
uuid '00000000-0000-0000-0000-000000000001' || 3::int8
uuid '00000000-0000-0000-0000-000000000001' || 1::float4
uuid '00000000-0000-0000-0000-000000000001' || 1::float8
uuid '00000000-0000-0000-0000-000000000001' || true
uuid '00000000-0000-0000-0000-000000000001' || date '2020-01-02'
uuid '00000000-0000-0000-0000-000000000001' || timestamp '2020-01-02 03:04:05'
uuid '00000000-0000-0000-0000-000000000001' || interval '1 day'
uuid '00000000-0000-0000-0000-000000000001' || '\x41'::bytea
uuid '00000000-0000-0000-0000-000000000001' || array[1,2]
uuid '00000000-0000-0000-0000-000000000001' || array['a','b']
uuid '00000000-0000-0000-0000-000000000001' || '{"a":1}'::jsonb
uuid '00000000-0000-0000-0000-000000000001' || '[1]'::json
uuid '00000000-0000-0000-0000-000000000001' || '{1}'
uuid '00000000-0000-0000-0000-000000000001' || '{}'
uuid '00000000-0000-0000-0000-000000000001' || uuid '00000000-0000-0000-0000-000000000001'
'1' + null
'1' + 1
'1' + 1.5
'1' + 2::int2
'1' + 3::int8
'1' + 1::float4
'1' + 1::float8
'1' + '1'::text
'1' + date '2020-01-02'
'1' + interval '1 day'
'1' + true
'1' + '1'::varchar
'1' + 5::oid
null + '1'
null + null
null + 1.5
null + 2::int2
null + 3::int8
null + 1::float4
null + 1::float8
null + '1'::text
null + date '2020-01-02'
null + interval '1 day'
null + true
null + '1'::varchar
null + 5::oid
1 + null
1 + 2::int2
1 + 3::int8
1 + 1::float4
1 + 1::float8
1 + '1'::text
1 + date '2020-01-02'
1 + interval '1 day'
1 + '1'::varchar
1 + 5::oid
1.5 + '1'
1.5 + null
1.5 + 1
1.5 + 1.5
1.5 + 2::int2
1.5 + 3::int8
1.5 + 1::float4
1.5 + 1::float8
1.5 + '1'::text
1.5 + date '2020-01-02'
1.5 + interval '1 day'
1.5 + true
1.5 + '1'::varchar
1.5 + 5::oid
2::int2 + '1'
2::int2 + null
2::int2 + 1
2::int2 + 1.5
2::int2 + 2::int2
2::int2 + 3::int8
2::int2 + 1::float4
2::int2 + 1::float8
2::int2 + '1'::text
2::int2 + date '2020-01-02'
2::int2 + interval '1 day'
2::int2 + true
2::int2 + '1'::varchar
2::int2 + 5::oid
3::int8 + '1'
3::int8 + null
3::int8 + 1
3::int8 + 1.5
3::int8 + 2::int2
3::int8 + 3::int8
3::int8 + 1::float4
3::int8 + 1::float8
3::int8 + '1'::text
3::int8 + date '2020-01-02'
3::int8 + interval '1 day'
3::int8 + true
3::int8 + '1'::varchar
3::int8 + 5::oid
1::float4 + '1'
1::float4 + null
1::float4 + 1
1::float4 + 1.5
1::float4 + 2::int2
1::float4 + 3::int8
1::float4 + 1::float4
1::float4 + 1::float8
1::float4 + '1'::text
1::float4 + date '2020-01-02'
1::float4 + interval '1 day'
1::float4 + true
1::float4 + '1'::varchar
1::float4 + 5::oid
1::float8 + '1'
1::float8 + null
1::float8 + 1
1::float8 + 1.5
1::float8 + 2::int2
1::float8 + 3::int8
1::float8 + 1::float4
1::float8 + 1::float8
1::float8 + '1'::text
1::float8 + date '2020-01-02'
1::float8 + interval '1 day'
1::float8 + true
1::float8 + '1'::varchar
1::float8 + 5::oid
'1'::text + '1'
'1'::text + null
'1'::text + 1
'1'::text + 1.5
'1'::text + 2::int2
'1'::text + 3::int8
'1'::text + 1::float4
'1'::text + 1::float8
'1'::text + '1'::text
'1'::text + date '2020-01-02'
'1'::text + interval '1 day'
'1'::text + true
'1'::text + '1'::varchar
'1'::text + 5::oid
date '2020-01-02' + '1'
date '2020-01-02' + null
date '2020-01-02' + 1
date '2020-01-02' + 1.5
date '2020-01-02' + 2::int2
date '2020-01-02' + 3::int8
date '2020-01-02' + 1::float4
date '2020-01-02' + 1::float8
date '2020-01-02' + '1'::text
date '2020-01-02' + date '2020-01-02'
date '2020-01-02' + interval '1 day'
date '2020-01-02' + true
date '2020-01-02' + '1'::varchar
date '2020-01-02' + 5::oid
interval '1 day' + '1'
interval '1 day' + null
interval '1 day' + 1.5
interval '1 day' + 2::int2
interval '1 day' + 3::int8
interval '1 day' + 1::float4
interval '1 day' + 1::float8
interval '1 day' + '1'::text
interval '1 day' + date '2020-01-02'
interval '1 day' + interval '1 day'
interval '1 day' + true
interval '1 day' + '1'::varchar
interval '1 day' + 5::oid
true + '1'
true + null
true + 1
true + 1.5
true + 2::int2
true + 3::int8
true + 1::float4
true + 1::float8
true + '1'::text
true + date '2020-01-02'
true + interval '1 day'
true + '1'::varchar
true + 5::oid
'1'::varchar + '1'
'1'::varchar + null
'1'::varchar + 1
'1'::varchar + 1.5
'1'::varchar + 2::int2
'1'::varchar + 3::int8
'1'::varchar + 1::float4
'1'::varchar + 1::float8
'1'::varchar + '1'::text
'1'::varchar + date '2020-01-02'
'1'::varchar + interval '1 day'
'1'::varchar + true
'1'::varchar + '1'::varchar
'1'::varchar + 5::oid
5::oid + '1'
5::oid + null
5::oid + 1
5::oid + 1.5
5::oid + 2::int2
5::oid + 3::int8
5::oid + 1::float4
5::oid + 1::float8
5::oid + '1'::text
5::oid + date '2020-01-02'
5::oid + interval '1 day'
5::oid + true
5::oid + '1'::varchar
5::oid + 5::oid
'1' * '1'
'1' * null
'1' * 1
'1' * 1.5
'1' * 2::int2
'1' * 3::int8
'1' * 1::float4
'1' * 1::float8
'1' * '1'::text
'1' * date '2020-01-02'
'1' * interval '1 day'
'1' * true
'1' * '1'::varchar
'1' * 5::oid
null * '1'
null * null
null * 1
null * 1.5
null * 2::int2
null * 3::int8
null * 1::float4
null * 1::float8
null * '1'::text
null * date '2020-01-02'
null * interval '1 day'
null * true
null * '1'::varchar
null * 5::oid
1 * '1'
1 * null
1 * 1
1 * 1.5
1 * 2::int2
1 * 3::int8
1 * 1::float4
1 * 1::float8
1 * '1'::text
1 * date '2020-01-02'
1 * interval '1 day'
1 * true
1 * '1'::varchar
1 * 5::oid
1.5 * '1'
1.5 * null
1.5 * 1
1.5 * 1.5
1.5 * 2::int2
1.5 * 3::int8
1.5 * 1::float4
1.5 * 1::float8
1.5 * '1'::text
1.5 * date '2020-01-02'
1.5 * interval '1 day'
1.5 * true
1.5 * '1'::varchar
1.5 * 5::oid
2::int2 * '1'
2::int2 * null
2::int2 * 1
2::int2 * 1.5
2::int2 * 2::int2
2::int2 * 3::int8
2::int2 * 1::float4
2::int2 * 1::float8
2::int2 * '1'::text
2::int2 * date '2020-01-02'
2::int2 * interval '1 day'
2::int2 * true
2::int2 * '1'::varchar
2::int2 * 5::oid
3::int8 * '1'
3::int8 * null
3::int8 * 1
3::int8 * 1.5
3::int8 * 2::int2
3::int8 * 3::int8
3::int8 * 1::float4
3::int8 * 1::float8
3::int8 * '1'::text
3::int8 * date '2020-01-02'
3::int8 * interval '1 day'
3::int8 * true
3::int8 * '1'::varchar
3::int8 * 5::oid
1::float4 * '1'
1::float4 * null
1::float4 * 1
1::float4 * 1.5
1::float4 * 2::int2
1::float4 * 3::int8
1::float4 * 1::float4
1::float4 * 1::float8
1::float4 * '1'::text
1::float4 * date '2020-01-02'
1::float4 * interval '1 day'
1::float4 * true
1::float4 * '1'::varchar
1::float4 * 5::oid
1::float8 * '1'
1::float8 * null
1::float8 * 1
1::float8 * 1.5
1::float8 * 2::int2
1::float8 * 3::int8
1::float8 * 1::float4
1::float8 * 1::float8
1::float8 * '1'::text
1::float8 * date '2020-01-02'
1::float8 * interval '1 day'
1::float8 * true
1::float8 * '1'::varchar
1::float8 * 5::oid
'1'::text * '1'
'1'::text * null
'1'::text * 1
'1'::text * 1.5
'1'::text * 2::int2
'1'::text * 3::int8
'1'::text * 1::float4
'1'::text * 1::float8
'1'::text * '1'::text
'1'::text * date '2020-01-02'
'1'::text * interval '1 day'
'1'::text * true
'1'::text * '1'::varchar
'1'::text * 5::oid
date '2020-01-02' * '1'
date '2020-01-02' * null
date '2020-01-02' * 1
date '2020-01-02' * 1.5
date '2020-01-02' * 2::int2
date '2020-01-02' * 3::int8
date '2020-01-02' * 1::float4
date '2020-01-02' * 1::float8
date '2020-01-02' * '1'::text
date '2020-01-02' * date '2020-01-02'
date '2020-01-02' * interval '1 day'
date '2020-01-02' * true
date '2020-01-02' * '1'::varchar
date '2020-01-02' * 5::oid
interval '1 day' * '1'
interval '1 day' * null
interval '1 day' * 1
interval '1 day' * 1.5
interval '1 day' * 2::int2
interval '1 day' * 3::int8
interval '1 day' * 1::float4
interval '1 day' * 1::float8
interval '1 day' * '1'::text
interval '1 day' * date '2020-01-02'
interval '1 day' * interval '1 day'
interval '1 day' * true
interval '1 day' * '1'::varchar
interval '1 day' * 5::oid
true * '1'
true * null
true * 1
true * 1.5
true * 2::int2
true * 3::int8
true * 1::float4
true * 1::float8
true * '1'::text
true * date '2020-01-02'
true * interval '1 day'
true * true
true * '1'::varchar
true * 5::oid
'1'::varchar * '1'
'1'::varchar * null
'1'::varchar * 1
'1'::varchar * 1.5
'1'::varchar * 2::int2
'1'::varchar * 3::int8
'1'::varchar * 1::float4
'1'::varchar * 1::float8
'1'::varchar * '1'::text
'1'::varchar * date '2020-01-02'
'1'::varchar * interval '1 day'
'1'::varchar * true
'1'::varchar * '1'::varchar
'1'::varchar * 5::oid
5::oid * '1'
5::oid * null
5::oid * 1
5::oid * 1.5
5::oid * 2::int2
5::oid * 3::int8
5::oid * 1::float4
5::oid * 1::float8
5::oid * '1'::text
5::oid * date '2020-01-02'
5::oid * interval '1 day'
5::oid * true
5::oid * '1'::varchar
5::oid * 5::oid
'1' = '1'
'1' = null
'1' = 1.5
'1' = 2::int2
'1' = 3::int8
'1' = 1::float4
'1' = 1::float8
'1' = '1'::text
'1' = date '2020-01-02'
'1' = interval '1 day'
'1' = true
'1' = '1'::varchar
'1' = 5::oid
null = '1'
null = 1
null = 1.5
null = 2::int2
null = 3::int8
null = 1::float4
null = 1::float8
null = '1'::text
null = date '2020-01-02'
null = interval '1 day'
null = true
null = '1'::varchar
null = 5::oid
1 = '1'
1 = null
1 = 1
1 = 1.5
1 = 2::int2
1 = 3::int8
1 = 1::float4
1 = 1::float8
1 = '1'::text
1 = date '2020-01-02'
1 = interval '1 day'
1 = '1'::varchar
1 = 5::oid
1.5 = '1'
1.5 = null
1.5 = 1
1.5 = 1.5
1.5 = 2::int2
1.5 = 3::int8
1.5 = 1::float4
1.5 = 1::float8
1.5 = '1'::text
1.5 = date '2020-01-02'
1.5 = interval '1 day'
1.5 = true
1.5 = '1'::varchar
1.5 = 5::oid
2::int2 = '1'
2::int2 = null
2::int2 = 1
2::int2 = 1.5
2::int2 = 2::int2
2::int2 = 3::int8
2::int2 = 1::float4
2::int2 = 1::float8
2::int2 = '1'::text
2::int2 = date '2020-01-02'
2::int2 = interval '1 day'
2::int2 = true
2::int2 = '1'::varchar
2::int2 = 5::oid
3::int8 = '1'
3::int8 = null
3::int8 = 1
3::int8 = 1.5
3::int8 = 2::int2
3::int8 = 3::int8
3::int8 = 1::float4
3::int8 = 1::float8
3::int8 = '1'::text
3::int8 = date '2020-01-02'
3::int8 = interval '1 day'
3::int8 = true
3::int8 = '1'::varchar
3::int8 = 5::oid
1::float4 = '1'
1::float4 = null
1::float4 = 1
1::float4 = 1.5
1::float4 = 2::int2
1::float4 = 3::int8
1::float4 = 1::float4
1::float4 = 1::float8
1::float4 = '1'::text
1::float4 = date '2020-01-02'
1::float4 = interval '1 day'
1::float4 = true
1::float4 = '1'::varchar
1::float4 = 5::oid
1::float8 = '1'
1::float8 = null
1::float8 = 1
1::float8 = 1.5
1::float8 = 2::int2
1::float8 = 3::int8
1::float8 = 1::float4
1::float8 = 1::float8
1::float8 = '1'::text
1::float8 = date '2020-01-02'
1::float8 = interval '1 day'
1::float8 = true
1::float8 = '1'::varchar
1::float8 = 5::oid
'1'::text = '1'
'1'::text = null
'1'::text = 1
'1'::text = 1.5
'1'::text = 2::int2
'1'::text = 3::int8
'1'::text = 1::float4
'1'::text = 1::float8
'1'::text = '1'::text
'1'::text = date '2020-01-02'
'1'::text = interval '1 day'
'1'::text = true
'1'::text = '1'::varchar
'1'::text = 5::oid
date '2020-01-02' = '1'
date '2020-01-02' = null
date '2020-01-02' = 1
date '2020-01-02' = 1.5
date '2020-01-02' = 2::int2
date '2020-01-02' = 3::int8
date '2020-01-02' = 1::float4
date '2020-01-02' = 1::float8
date '2020-01-02' = '1'::text
date '2020-01-02' = date '2020-01-02'
date '2020-01-02' = interval '1 day'
date '2020-01-02' = true
date '2020-01-02' = '1'::varchar
date '2020-01-02' = 5::oid
interval '1 day' = '1'
interval '1 day' = null
interval '1 day' = 1
interval '1 day' = 1.5
interval '1 day' = 2::int2
interval '1 day' = 3::int8
interval '1 day' = 1::float4
interval '1 day' = 1::float8
interval '1 day' = '1'::text
interval '1 day' = date '2020-01-02'
interval '1 day' = interval '1 day'
interval '1 day' = true
interval '1 day' = '1'::varchar
interval '1 day' = 5::oid
true = '1'
true = null
true = 1
true = 1.5
true = 2::int2
true = 3::int8
true = 1::float4
true = 1::float8
true = '1'::text
true = date '2020-01-02'
true = interval '1 day'
true = true
true = '1'::varchar
true = 5::oid
'1'::varchar = '1'
'1'::varchar = null
'1'::varchar = 1
'1'::varchar = 1.5
'1'::varchar = 2::int2
'1'::varchar = 3::int8
'1'::varchar = 1::float4
'1'::varchar = 1::float8
'1'::varchar = '1'::text
'1'::varchar = date '2020-01-02'
'1'::varchar = interval '1 day'
'1'::varchar = true
'1'::varchar = '1'::varchar
'1'::varchar = 5::oid
5::oid = '1'
5::oid = null
5::oid = 1
5::oid = 1.5
5::oid = 2::int2
5::oid = 3::int8
5::oid = 1::float4
5::oid = 1::float8
5::oid = '1'::text
5::oid = date '2020-01-02'
5::oid = interval '1 day'
5::oid = true
5::oid = '1'::varchar
5::oid = 5::oid
- '1'
length('1')
round('1')
upper('1')
sqrt('1')
pg_typeof('1')
concat('1')
to_json('1')
quote_literal('1')
quote_nullable('1')
num_nulls('1')
json_build_array('1')
text('1')
float8('1')
int4('1')
date('1')
substr('1', 1)
coalesce('1', 1)
coalesce('1', 'x')
greatest('1', 1)
extract(year from '1')
date_trunc('day', '1')
to_char('1', '9')
nullif('1', 1)
pg_typeof(nullif('1', 1))
case when true then '1' else 1 end
mod('1', 1)
power('1', 1)
'1' in (1)
'1' between 1 and 1
repeat('x', '1')
nullif('1', '1')
pg_typeof(nullif('1', '1'))
case when true then '1' else '1' end
mod('1', '1')
power('1', '1')
'1' in ('1')
'1' between '1' and '1'
nullif('1', null)
pg_typeof(nullif('1', null))
case when true then '1' else null end
mod('1', null)
power('1', null)
'1' in (null)
'1' between null and null
nullif('1', 1.5)
pg_typeof(nullif('1', 1.5))
case when true then '1' else 1.5 end
mod('1', 1.5)
power('1', 1.5)
'1' in (1.5)
'1' between 1.5 and 1.5
nullif('1', 1::float4)
pg_typeof(nullif('1', 1::float4))
case when true then '1' else 1::float4 end
mod('1', 1::float4)
power('1', 1::float4)
'1' in (1::float4)
'1' between 1::float4 and 1::float4
nullif('1', 'a'::text)
pg_typeof(nullif('1', 'a'::text))
case when true then '1' else 'a'::text end
mod('1', 'a'::text)
power('1', 'a'::text)
'1' in ('a'::text)
'1' between 'a'::text and 'a'::text
- null
abs(null)
length(null)
round(null)
upper(null)
sqrt(null)
concat(null)
to_json(null)
quote_literal(null)
num_nulls(null)
json_build_array(null)
text(null)
float8(null)
int4(null)
date(null)
substr(null, 1)
coalesce(null, 1)
coalesce(null, 'x')
greatest(null, 1)
extract(year from null)
date_trunc('day', null)
to_char(null, '9')
pg_typeof(nullif(null, 1))
case when true then null else 1 end
mod(null, 1)
power(null, 1)
null in (1)
null between 1 and 1
repeat('x', null)
nullif(null, '1')
pg_typeof(nullif(null, '1'))
case when true then null else '1' end
mod(null, '1')
power(null, '1')
null in ('1')
null between '1' and '1'
nullif(null, null)
pg_typeof(nullif(null, null))
case when true then null else null end
mod(null, null)
power(null, null)
null in (null)
null between null and null
nullif(null, 1.5)
pg_typeof(nullif(null, 1.5))
case when true then null else 1.5 end
mod(null, 1.5)
power(null, 1.5)
null in (1.5)
null between 1.5 and 1.5
nullif(null, 1::float4)
pg_typeof(nullif(null, 1::float4))
case when true then null else 1::float4 end
mod(null, 1::float4)
power(null, 1::float4)
null in (1::float4)
null between 1::float4 and 1::float4
nullif(null, 'a'::text)
pg_typeof(nullif(null, 'a'::text))
case when true then null else 'a'::text end
mod(null, 'a'::text)
power(null, 'a'::text)
null in ('a'::text)
null between 'a'::text and 'a'::text
- 1
abs(1)
round(1)
upper(1)
sqrt(1)
concat(1)
to_json(1)
quote_nullable(1)
num_nulls(1)
json_build_array(1)
text(1)
float8(1)
int4(1)
date(1)
substr(1, 1)
coalesce(1, 1)
coalesce(1, 'x')
greatest(1, 1)
extract(year from 1)
date_trunc('day', 1)
to_char(1, '9')
pg_typeof(nullif(1, 1))
case when true then 1 else 1 end
mod(1, 1)
power(1, 1)
1 in (1)
1 between 1 and 1
repeat('x', 1)
nullif(1, '1')
pg_typeof(nullif(1, '1'))
case when true then 1 else '1' end
mod(1, '1')
power(1, '1')
1 in ('1')
1 between '1' and '1'
nullif(1, null)
pg_typeof(nullif(1, null))
case when true then 1 else null end
mod(1, null)
power(1, null)
1 in (null)
1 between null and null
nullif(1, 1.5)
pg_typeof(nullif(1, 1.5))
case when true then 1 else 1.5 end
mod(1, 1.5)
power(1, 1.5)
1 in (1.5)
1 between 1.5 and 1.5
nullif(1, 1::float4)
pg_typeof(nullif(1, 1::float4))
case when true then 1 else 1::float4 end
mod(1, 1::float4)
power(1, 1::float4)
1 in (1::float4)
1 between 1::float4 and 1::float4
nullif(1, 'a'::text)
pg_typeof(nullif(1, 'a'::text))
case when true then 1 else 'a'::text end
mod(1, 'a'::text)
power(1, 'a'::text)
1 in ('a'::text)
1 between 'a'::text and 'a'::text
- 1.5
abs(1.5)
length(1.5)
upper(1.5)
sqrt(1.5)
concat(1.5)
to_json(1.5)
quote_literal(1.5)
quote_nullable(1.5)
num_nulls(1.5)
json_build_array(1.5)
text(1.5)
float8(1.5)
int4(1.5)
date(1.5)
substr(1.5, 1)
coalesce(1.5, 1)
coalesce(1.5, 'x')
greatest(1.5, 1)
extract(year from 1.5)
date_trunc('day', 1.5)
to_char(1.5, '9')
pg_typeof(nullif(1.5, 1))
case when true then 1.5 else 1 end
mod(1.5, 1)
power(1.5, 1)
1.5 in (1)
1.5 between 1 and 1
repeat('x', 1.5)
nullif(1.5, '1')
pg_typeof(nullif(1.5, '1'))
case when true then 1.5 else '1' end
mod(1.5, '1')
power(1.5, '1')
1.5 in ('1')
1.5 between '1' and '1'
nullif(1.5, null)
pg_typeof(nullif(1.5, null))
case when true then 1.5 else null end
mod(1.5, null)
power(1.5, null)
1.5 in (null)
1.5 between null and null
nullif(1.5, 1.5)
pg_typeof(nullif(1.5, 1.5))
case when true then 1.5 else 1.5 end
mod(1.5, 1.5)
power(1.5, 1.5)
1.5 in (1.5)
1.5 between 1.5 and 1.5
nullif(1.5, 1::float4)
pg_typeof(nullif(1.5, 1::float4))
case when true then 1.5 else 1::float4 end
mod(1.5, 1::float4)
power(1.5, 1::float4)
1.5 in (1::float4)
1.5 between 1::float4 and 1::float4
nullif(1.5, 'a'::text)
pg_typeof(nullif(1.5, 'a'::text))
case when true then 1.5 else 'a'::text end
mod(1.5, 'a'::text)
power(1.5, 'a'::text)
1.5 in ('a'::text)
1.5 between 'a'::text and 'a'::text
- 2::int2
abs(2::int2)
length(2::int2)
round(2::int2)
upper(2::int2)
sqrt(2::int2)
pg_typeof(2::int2)
concat(2::int2)
to_json(2::int2)
quote_literal(2::int2)
quote_nullable(2::int2)
num_nulls(2::int2)
json_build_array(2::int2)
text(2::int2)
float8(2::int2)
int4(2::int2)
date(2::int2)
substr(2::int2, 1)
coalesce(2::int2, 1)
coalesce(2::int2, 'x')
greatest(2::int2, 1)
extract(year from 2::int2)
date_trunc('day', 2::int2)
to_char(2::int2, '9')
nullif(2::int2, 1)
pg_typeof(nullif(2::int2, 1))
case when true then 2::int2 else 1 end
mod(2::int2, 1)
power(2::int2, 1)
2::int2 in (1)
2::int2 between 1 and 1
repeat('x', 2::int2)
nullif(2::int2, '1')
pg_typeof(nullif(2::int2, '1'))
case when true then 2::int2 else '1' end
mod(2::int2, '1')
power(2::int2, '1')
2::int2 in ('1')
2::int2 between '1' and '1'
nullif(2::int2, null)
pg_typeof(nullif(2::int2, null))
case when true then 2::int2 else null end
mod(2::int2, null)
power(2::int2, null)
2::int2 in (null)
2::int2 between null and null
nullif(2::int2, 1.5)
pg_typeof(nullif(2::int2, 1.5))
case when true then 2::int2 else 1.5 end
mod(2::int2, 1.5)
power(2::int2, 1.5)
2::int2 in (1.5)
2::int2 between 1.5 and 1.5
nullif(2::int2, 1::float4)
pg_typeof(nullif(2::int2, 1::float4))
case when true then 2::int2 else 1::float4 end
mod(2::int2, 1::float4)
power(2::int2, 1::float4)
2::int2 in (1::float4)
2::int2 between 1::float4 and 1::float4
nullif(2::int2, 'a'::text)
pg_typeof(nullif(2::int2, 'a'::text))
case when true then 2::int2 else 'a'::text end
mod(2::int2, 'a'::text)
power(2::int2, 'a'::text)
2::int2 in ('a'::text)
2::int2 between 'a'::text and 'a'::text
- 3::int8
abs(3::int8)
length(3::int8)
round(3::int8)
upper(3::int8)
sqrt(3::int8)
pg_typeof(3::int8)
concat(3::int8)
to_json(3::int8)
quote_literal(3::int8)
quote_nullable(3::int8)
num_nulls(3::int8)
json_build_array(3::int8)
text(3::int8)
float8(3::int8)
int4(3::int8)
date(3::int8)
substr(3::int8, 1)
coalesce(3::int8, 1)
coalesce(3::int8, 'x')
greatest(3::int8, 1)
extract(year from 3::int8)
date_trunc('day', 3::int8)
to_char(3::int8, '9')
nullif(3::int8, 1)
pg_typeof(nullif(3::int8, 1))
case when true then 3::int8 else 1 end
mod(3::int8, 1)
power(3::int8, 1)
3::int8 in (1)
3::int8 between 1 and 1
repeat('x', 3::int8)
nullif(3::int8, '1')
pg_typeof(nullif(3::int8, '1'))
case when true then 3::int8 else '1' end
mod(3::int8, '1')
power(3::int8, '1')
3::int8 in ('1')
3::int8 between '1' and '1'
nullif(3::int8, null)
pg_typeof(nullif(3::int8, null))
case when true then 3::int8 else null end
mod(3::int8, null)
power(3::int8, null)
3::int8 in (null)
3::int8 between null and null
nullif(3::int8, 1.5)
pg_typeof(nullif(3::int8, 1.5))
case when true then 3::int8 else 1.5 end
mod(3::int8, 1.5)
power(3::int8, 1.5)
3::int8 in (1.5)
3::int8 between 1.5 and 1.5
nullif(3::int8, 1::float4)
pg_typeof(nullif(3::int8, 1::float4))
case when true then 3::int8 else 1::float4 end
mod(3::int8, 1::float4)
power(3::int8, 1::float4)
3::int8 in (1::float4)
3::int8 between 1::float4 and 1::float4
nullif(3::int8, 'a'::text)
pg_typeof(nullif(3::int8, 'a'::text))
case when true then 3::int8 else 'a'::text end
mod(3::int8, 'a'::text)
power(3::int8, 'a'::text)
3::int8 in ('a'::text)
3::int8 between 'a'::text and 'a'::text
- 1::float4
abs(1::float4)
length(1::float4)
round(1::float4)
upper(1::float4)
sqrt(1::float4)
pg_typeof(1::float4)
concat(1::float4)
to_json(1::float4)
quote_literal(1::float4)
quote_nullable(1::float4)
num_nulls(1::float4)
json_build_array(1::float4)
text(1::float4)
float8(1::float4)
int4(1::float4)
date(1::float4)
substr(1::float4, 1)
coalesce(1::float4, 1)
coalesce(1::float4, 'x')
greatest(1::float4, 1)
extract(year from 1::float4)
date_trunc('day', 1::float4)
to_char(1::float4, '9')
nullif(1::float4, 1)
pg_typeof(nullif(1::float4, 1))
case when true then 1::float4 else 1 end
mod(1::float4, 1)
power(1::float4, 1)
1::float4 in (1)
1::float4 between 1 and 1
repeat('x', 1::float4)
nullif(1::float4, '1')
pg_typeof(nullif(1::float4, '1'))
case when true then 1::float4 else '1' end
mod(1::float4, '1')
power(1::float4, '1')
1::float4 in ('1')
1::float4 between '1' and '1'
nullif(1::float4, null)
pg_typeof(nullif(1::float4, null))
case when true then 1::float4 else null end
mod(1::float4, null)
power(1::float4, null)
1::float4 in (null)
1::float4 between null and null
nullif(1::float4, 1.5)
pg_typeof(nullif(1::float4, 1.5))
case when true then 1::float4 else 1.5 end
mod(1::float4, 1.5)
power(1::float4, 1.5)
1::float4 in (1.5)
1::float4 between 1.5 and 1.5
nullif(1::float4, 1::float4)
pg_typeof(nullif(1::float4, 1::float4))
case when true then 1::float4 else 1::float4 end
mod(1::float4, 1::float4)
power(1::float4, 1::float4)
1::float4 in (1::float4)
1::float4 between 1::float4 and 1::float4
nullif(1::float4, 'a'::text)
pg_typeof(nullif(1::float4, 'a'::text))
case when true then 1::float4 else 'a'::text end
mod(1::float4, 'a'::text)
power(1::float4, 'a'::text)
1::float4 in ('a'::text)
1::float4 between 'a'::text and 'a'::text
- 1::float8
abs(1::float8)
length(1::float8)
round(1::float8)
upper(1::float8)
sqrt(1::float8)
pg_typeof(1::float8)
concat(1::float8)
to_json(1::float8)
quote_literal(1::float8)
quote_nullable(1::float8)
num_nulls(1::float8)
json_build_array(1::float8)
text(1::float8)
float8(1::float8)
int4(1::float8)
date(1::float8)
substr(1::float8, 1)
coalesce(1::float8, 1)
coalesce(1::float8, 'x')
greatest(1::float8, 1)
extract(year from 1::float8)
date_trunc('day', 1::float8)
to_char(1::float8, '9')
nullif(1::float8, 1)
pg_typeof(nullif(1::float8, 1))
case when true then 1::float8 else 1 end
mod(1::float8, 1)
power(1::float8, 1)
1::float8 in (1)
1::float8 between 1 and 1
repeat('x', 1::float8)
nullif(1::float8, '1')
pg_typeof(nullif(1::float8, '1'))
case when true then 1::float8 else '1' end
mod(1::float8, '1')
power(1::float8, '1')
1::float8 in ('1')
1::float8 between '1' and '1'
nullif(1::float8, null)
pg_typeof(nullif(1::float8, null))
case when true then 1::float8 else null end
mod(1::float8, null)
power(1::float8, null)
1::float8 in (null)
1::float8 between null and null
nullif(1::float8, 1.5)
pg_typeof(nullif(1::float8, 1.5))
case when true then 1::float8 else 1.5 end
mod(1::float8, 1.5)
power(1::float8, 1.5)
1::float8 in (1.5)
1::float8 between 1.5 and 1.5
nullif(1::float8, 1::float4)
pg_typeof(nullif(1::float8, 1::float4))
case when true then 1::float8 else 1::float4 end
mod(1::float8, 1::float4)
power(1::float8, 1::float4)
1::float8 in (1::float4)
1::float8 between 1::float4 and 1::float4
nullif(1::float8, 'a'::text)
pg_typeof(nullif(1::float8, 'a'::text))
case when true then 1::float8 else 'a'::text end
mod(1::float8, 'a'::text)
power(1::float8, 'a'::text)
1::float8 in ('a'::text)
1::float8 between 'a'::text and 'a'::text
- '1'::text
abs('1'::text)
length('1'::text)
round('1'::text)
upper('1'::text)
sqrt('1'::text)
pg_typeof('1'::text)
concat('1'::text)
to_json('1'::text)
quote_literal('1'::text)
quote_nullable('1'::text)
num_nulls('1'::text)
json_build_array('1'::text)
text('1'::text)
float8('1'::text)
int4('1'::text)
date('1'::text)
substr('1'::text, 1)
coalesce('1'::text, 1)
coalesce('1'::text, 'x')
greatest('1'::text, 1)
extract(year from '1'::text)
date_trunc('day', '1'::text)
to_char('1'::text, '9')
nullif('1'::text, 1)
pg_typeof(nullif('1'::text, 1))
case when true then '1'::text else 1 end
mod('1'::text, 1)
power('1'::text, 1)
'1'::text in (1)
'1'::text between 1 and 1
repeat('x', '1'::text)
nullif('1'::text, '1')
pg_typeof(nullif('1'::text, '1'))
case when true then '1'::text else '1' end
mod('1'::text, '1')
power('1'::text, '1')
'1'::text in ('1')
'1'::text between '1' and '1'
nullif('1'::text, null)
pg_typeof(nullif('1'::text, null))
case when true then '1'::text else null end
mod('1'::text, null)
power('1'::text, null)
'1'::text in (null)
'1'::text between null and null
nullif('1'::text, 1.5)
pg_typeof(nullif('1'::text, 1.5))
case when true then '1'::text else 1.5 end
mod('1'::text, 1.5)
power('1'::text, 1.5)
'1'::text in (1.5)
'1'::text between 1.5 and 1.5
nullif('1'::text, 1::float4)
pg_typeof(nullif('1'::text, 1::float4))
case when true then '1'::text else 1::float4 end
mod('1'::text, 1::float4)
power('1'::text, 1::float4)
'1'::text in (1::float4)
'1'::text between 1::float4 and 1::float4
nullif('1'::text, 'a'::text)
pg_typeof(nullif('1'::text, 'a'::text))
case when true then '1'::text else 'a'::text end
mod('1'::text, 'a'::text)
power('1'::text, 'a'::text)
'1'::text in ('a'::text)
'1'::text between 'a'::text and 'a'::text
- date '2020-01-02'
abs(date '2020-01-02')
length(date '2020-01-02')
round(date '2020-01-02')
upper(date '2020-01-02')
sqrt(date '2020-01-02')
pg_typeof(date '2020-01-02')
concat(date '2020-01-02')
to_json(date '2020-01-02')
quote_literal(date '2020-01-02')
quote_nullable(date '2020-01-02')
num_nulls(date '2020-01-02')
json_build_array(date '2020-01-02')
text(date '2020-01-02')
float8(date '2020-01-02')
int4(date '2020-01-02')
date(date '2020-01-02')
substr(date '2020-01-02', 1)
coalesce(date '2020-01-02', 1)
coalesce(date '2020-01-02', 'x')
greatest(date '2020-01-02', 1)
extract(year from date '2020-01-02')
date_trunc('day', date '2020-01-02')
to_char(date '2020-01-02', '9')
nullif(date '2020-01-02', 1)
pg_typeof(nullif(date '2020-01-02', 1))
case when true then date '2020-01-02' else 1 end
mod(date '2020-01-02', 1)
power(date '2020-01-02', 1)
date '2020-01-02' in (1)
date '2020-01-02' between 1 and 1
repeat('x', date '2020-01-02')
nullif(date '2020-01-02', '1')
pg_typeof(nullif(date '2020-01-02', '1'))
case when true then date '2020-01-02' else '1' end
mod(date '2020-01-02', '1')
power(date '2020-01-02', '1')
date '2020-01-02' in ('1')
date '2020-01-02' between '1' and '1'
nullif(date '2020-01-02', null)
pg_typeof(nullif(date '2020-01-02', null))
case when true then date '2020-01-02' else null end
mod(date '2020-01-02', null)
power(date '2020-01-02', null)
date '2020-01-02' in (null)
date '2020-01-02' between null and null
nullif(date '2020-01-02', 1.5)
pg_typeof(nullif(date '2020-01-02', 1.5))
case when true then date '2020-01-02' else 1.5 end
mod(date '2020-01-02', 1.5)
power(date '2020-01-02', 1.5)
date '2020-01-02' in (1.5)
date '2020-01-02' between 1.5 and 1.5
nullif(date '2020-01-02', 1::float4)
pg_typeof(nullif(date '2020-01-02', 1::float4))
case when true then date '2020-01-02' else 1::float4 end
mod(date '2020-01-02', 1::float4)
power(date '2020-01-02', 1::float4)
date '2020-01-02' in (1::float4)
date '2020-01-02' between 1::float4 and 1::float4
nullif(date '2020-01-02', 'a'::text)
pg_typeof(nullif(date '2020-01-02', 'a'::text))
case when true then date '2020-01-02' else 'a'::text end
mod(date '2020-01-02', 'a'::text)
power(date '2020-01-02', 'a'::text)
date '2020-01-02' in ('a'::text)
date '2020-01-02' between 'a'::text and 'a'::text
- interval '1 day'
abs(interval '1 day')
length(interval '1 day')
round(interval '1 day')
upper(interval '1 day')
sqrt(interval '1 day')
pg_typeof(interval '1 day')
concat(interval '1 day')
to_json(interval '1 day')
quote_literal(interval '1 day')
quote_nullable(interval '1 day')
num_nulls(interval '1 day')
json_build_array(interval '1 day')
text(interval '1 day')
float8(interval '1 day')
int4(interval '1 day')
date(interval '1 day')
substr(interval '1 day', 1)
coalesce(interval '1 day', 1)
coalesce(interval '1 day', 'x')
greatest(interval '1 day', 1)
extract(year from interval '1 day')
date_trunc('day', interval '1 day')
to_char(interval '1 day', '9')
nullif(interval '1 day', 1)
pg_typeof(nullif(interval '1 day', 1))
case when true then interval '1 day' else 1 end
mod(interval '1 day', 1)
power(interval '1 day', 1)
interval '1 day' in (1)
interval '1 day' between 1 and 1
repeat('x', interval '1 day')
nullif(interval '1 day', '1')
pg_typeof(nullif(interval '1 day', '1'))
case when true then interval '1 day' else '1' end
mod(interval '1 day', '1')
power(interval '1 day', '1')
interval '1 day' in ('1')
interval '1 day' between '1' and '1'
nullif(interval '1 day', null)
pg_typeof(nullif(interval '1 day', null))
case when true then interval '1 day' else null end
mod(interval '1 day', null)
power(interval '1 day', null)
interval '1 day' in (null)
interval '1 day' between null and null
nullif(interval '1 day', 1.5)
pg_typeof(nullif(interval '1 day', 1.5))
case when true then interval '1 day' else 1.5 end
mod(interval '1 day', 1.5)
power(interval '1 day', 1.5)
interval '1 day' in (1.5)
interval '1 day' between 1.5 and 1.5
nullif(interval '1 day', 1::float4)
pg_typeof(nullif(interval '1 day', 1::float4))
case when true then interval '1 day' else 1::float4 end
mod(interval '1 day', 1::float4)
power(interval '1 day', 1::float4)
interval '1 day' in (1::float4)
interval '1 day' between 1::float4 and 1::float4
nullif(interval '1 day', 'a'::text)
pg_typeof(nullif(interval '1 day', 'a'::text))
case when true then interval '1 day' else 'a'::text end
mod(interval '1 day', 'a'::text)
power(interval '1 day', 'a'::text)
interval '1 day' in ('a'::text)
interval '1 day' between 'a'::text and 'a'::text
- true
abs(true)
length(true)
round(true)
upper(true)
sqrt(true)
pg_typeof(true)
concat(true)
to_json(true)
quote_literal(true)
quote_nullable(true)
num_nulls(true)
json_build_array(true)
text(true)
float8(true)
int4(true)
date(true)
substr(true, 1)
coalesce(true, 1)
coalesce(true, 'x')
greatest(true, 1)
extract(year from true)
date_trunc('day', true)
to_char(true, '9')
nullif(true, 1)
pg_typeof(nullif(true, 1))
case when true then true else 1 end
mod(true, 1)
power(true, 1)
true in (1)
true between 1 and 1
repeat('x', true)
nullif(true, '1')
pg_typeof(nullif(true, '1'))
case when true then true else '1' end
mod(true, '1')
power(true, '1')
true in ('1')
true between '1' and '1'
nullif(true, null)
pg_typeof(nullif(true, null))
case when true then true else null end
mod(true, null)
power(true, null)
true in (null)
true between null and null
nullif(true, 1.5)
pg_typeof(nullif(true, 1.5))
case when true then true else 1.5 end
mod(true, 1.5)
power(true, 1.5)
true in (1.5)
true between 1.5 and 1.5
nullif(true, 1::float4)
pg_typeof(nullif(true, 1::float4))
case when true then true else 1::float4 end
mod(true, 1::float4)
power(true, 1::float4)
true in (1::float4)
true between 1::float4 and 1::float4
nullif(true, 'a'::text)
pg_typeof(nullif(true, 'a'::text))
case when true then true else 'a'::text end
mod(true, 'a'::text)
power(true, 'a'::text)
true in ('a'::text)
true between 'a'::text and 'a'::text
- '1'::varchar
abs('1'::varchar)
length('1'::varchar)
round('1'::varchar)
upper('1'::varchar)
sqrt('1'::varchar)
pg_typeof('1'::varchar)
concat('1'::varchar)
to_json('1'::varchar)
quote_literal('1'::varchar)
quote_nullable('1'::varchar)
num_nulls('1'::varchar)
json_build_array('1'::varchar)
text('1'::varchar)
float8('1'::varchar)
int4('1'::varchar)
date('1'::varchar)
substr('1'::varchar, 1)
coalesce('1'::varchar, 1)
coalesce('1'::varchar, 'x')
greatest('1'::varchar, 1)
extract(year from '1'::varchar)
date_trunc('day', '1'::varchar)
to_char('1'::varchar, '9')
nullif('1'::varchar, 1)
pg_typeof(nullif('1'::varchar, 1))
case when true then '1'::varchar else 1 end
mod('1'::varchar, 1)
power('1'::varchar, 1)
'1'::varchar in (1)
'1'::varchar between 1 and 1
repeat('x', '1'::varchar)
nullif('1'::varchar, '1')
pg_typeof(nullif('1'::varchar, '1'))
case when true then '1'::varchar else '1' end
mod('1'::varchar, '1')
power('1'::varchar, '1')
'1'::varchar in ('1')
'1'::varchar between '1' and '1'
nullif('1'::varchar, null)
pg_typeof(nullif('1'::varchar, null))
case when true then '1'::varchar else null end
mod('1'::varchar, null)
power('1'::varchar, null)
'1'::varchar in (null)
'1'::varchar between null and null
nullif('1'::varchar, 1.5)
pg_typeof(nullif('1'::varchar, 1.5))
case when true then '1'::varchar else 1.5 end
mod('1'::varchar, 1.5)
power('1'::varchar, 1.5)
'1'::varchar in (1.5)
'1'::varchar between 1.5 and 1.5
nullif('1'::varchar, 1::float4)
pg_typeof(nullif('1'::varchar, 1::float4))
case when true then '1'::varchar else 1::float4 end
mod('1'::varchar, 1::float4)
power('1'::varchar, 1::float4)
'1'::varchar in (1::float4)
'1'::varchar between 1::float4 and 1::float4
nullif('1'::varchar, 'a'::text)
pg_typeof(nullif('1'::varchar, 'a'::text))
case when true then '1'::varchar else 'a'::text end
mod('1'::varchar, 'a'::text)
power('1'::varchar, 'a'::text)
'1'::varchar in ('a'::text)
'1'::varchar between 'a'::text and 'a'::text
- 5::oid
abs(5::oid)
length(5::oid)
round(5::oid)
upper(5::oid)
sqrt(5::oid)
pg_typeof(5::oid)
concat(5::oid)
to_json(5::oid)
quote_literal(5::oid)
quote_nullable(5::oid)
num_nulls(5::oid)
json_build_array(5::oid)
text(5::oid)
float8(5::oid)
int4(5::oid)
date(5::oid)
substr(5::oid, 1)
coalesce(5::oid, 1)
coalesce(5::oid, 'x')
greatest(5::oid, 1)
extract(year from 5::oid)
date_trunc('day', 5::oid)
to_char(5::oid, '9')
nullif(5::oid, 1)
pg_typeof(nullif(5::oid, 1))
case when true then 5::oid else 1 end
mod(5::oid, 1)
power(5::oid, 1)
5::oid in (1)
5::oid between 1 and 1
repeat('x', 5::oid)
nullif(5::oid, '1')
pg_typeof(nullif(5::oid, '1'))
case when true then 5::oid else '1' end
mod(5::oid, '1')
power(5::oid, '1')
5::oid in ('1')
5::oid between '1' and '1'
nullif(5::oid, null)
pg_typeof(nullif(5::oid, null))
case when true then 5::oid else null end
mod(5::oid, null)
power(5::oid, null)
5::oid in (null)
5::oid between null and null
nullif(5::oid, 1.5)
pg_typeof(nullif(5::oid, 1.5))
case when true then 5::oid else 1.5 end
mod(5::oid, 1.5)
power(5::oid, 1.5)
5::oid in (1.5)
5::oid between 1.5 and 1.5
nullif(5::oid, 1::float4)
pg_typeof(nullif(5::oid, 1::float4))
case when true then 5::oid else 1::float4 end
mod(5::oid, 1::float4)
power(5::oid, 1::float4)
5::oid in (1::float4)
5::oid between 1::float4 and 1::float4
nullif(5::oid, 'a'::text)
pg_typeof(nullif(5::oid, 'a'::text))
case when true then 5::oid else 'a'::text end
mod(5::oid, 'a'::text)
power(5::oid, 'a'::text)
5::oid in ('a'::text)
5::oid between 'a'::text and 'a'::text
concat_ws()
concat_ws(',')
concat_ws(',', null, 1, true)
num_nulls()
num_nonnulls()
format()
format('a')
format('%s')
format('%s', 1)
format(null)
json_build_array()
json_build_object()
json_build_object('a', 1, 'b', 'c')
jsonb_build_object('a', null)
jsonb_build_array('a', 1, null, true)
array_append(array[1], 2.5)
array_append(array[1], '2')
array_append(null, 1)
array_append(null, null)
array_append('{1}', 2)
array_prepend(1, '{2}')
array_cat(array[1], array[1.5])
array_cat(array[1], '{2}')
array_cat('{1}','{2}')
array_position(array[1,2], 2.0)
array_position(array['a'], 'a')
array_position('{a,b}', 'b')
array_position(array[1], 'x')
array_length('{1}', 1)
array_length(array[1], '1')
array_length(1, 1)
cardinality('{1}')
cardinality(1)
array_to_string('{1}', ',')
array_to_string(array[1,2], ',', null)
array[1] @> array[1::int8]
array[1] @> '{1}'
'{1}' @> array[1]
'{1}' @> '{1}'
array[1] && array['1']
array[1] && null
array[1,2] || 3 || 4
1 || array[2,3]
1.5 || array[2,3]
array[1] || 1.5
array[1] || array[1.5]
array['a'] || 'b'::text
array['a'] || null
null || array['a']
array[1] || array['a']
array[1] || 'a'::text
'a'::text || array['b']
'a'::varchar || array['b']
'x' || false
1 || '2'
'1' || 2
bool 't' || ''::name
'a'::char(3) || 'b'
'a'::char(3) || 'b'::char(3)
'a'::name || 'b'::name
current_date - 'x'
'2020-01-01' - 1
date '2020-01-01' - '2019-01-01'
date '2020-01-01' + '1 day'
timestamp '2020-01-01' + '1 day'
timestamp '2020-01-01' - '1 day'
'1 day' + timestamp '2020-01-01'
interval '1 day' * '2'
'2' * interval '1 day'
'1' + '2'
'a' = 'a'
'a' < 'b'
'a' ~ 'a'
'a' like 'a'
null like null
1 like 1
'a'::name ~ 'a'
'5' % 2
- '5'
+ '5'
@ '5'
~ '5'
~ 5
|/ '4'
'1'::oid = 1
1::oid + 1
'a'::char(3) = 'a'::text
'a'::char(3) = 'a  '
row(1,2) = row(1,2)
row(1,2) = (1,3)
row(1) = row(1)
(1,2) < (1,3)
row(1,null) is null
row(null,null) is null
row(1,2) is not null
(1,2) is distinct from (1,3)
(1,null) is distinct from (1,null)
(1,2) is not distinct from (1,2)
row(1,2) is distinct from row(1,2)
(1,2) = (1,2,3)
(1,2) is distinct from (1,2,3)
row(1,2) in (row(1,2), (3,4))
'abc' ~ ')'
'abc' ~ '[a'
'abc' ~ 'a{1'
'abc' ~ '*a'
'abc' ~ '[b-a]'
'abc' ~ 'a{2,1}'
'abc' ~ 'a\'
to_json('a')
to_json('a'::text)
to_jsonb(null::int)
to_jsonb(null)
pg_column_size(1)
quote_literal(1.50)
quote_ident(1)
date('2020-02-03')
date(timestamp '2020-02-03 04:05:06')
text(5)
int4('7')
int8(2.6)
float8('1e3')
bool('yes')
name('abc')
uuid('00000000-0000-0000-0000-000000000001')
json('[1]')
int4(date '2020-01-01')
bytea('a')
oid(5)
no_such(1)
length('a'::char(5))
length('a'::bytea)
length(5)
char_length('abc'::varchar)
trim('  a ')
trim(5)
substring('abc', 2)
substring('abc', '2')
substring('abc' from '.b')
substring('abc'::bytea, 2)
left('abc', '2')
left('abc', 2.0)
lpad('a', 5)
lpad('a', '5', 'x')
strpos('abc', 'b')
replace('abc', 'b', 1)
split_part('a,b', ',', 2)
md5('a')
md5('a'::bytea)
round(1.5::float8)
round(1.5::float4)
round(1.234, 2)
round(1.234::float8, 2)
round('1.234', 2)
ceil(1)
ceil('1.2')
floor(2::int2)
sign(-5)
trunc(1.5, '1')
log(100)
log('100')
log(2, 8)
log(2.0, 8)
ln(1)
exp(0)
exp('0')
mod(5, 3)
mod(5, 3::int8)
mod(5::int2, 3)
mod(5.5, 2)
mod(5::float8, 2)
div(5, 2)
gcd(4, 6)
gcd(4, 6::int8)
random('x')
greatest(1, 2.5)
greatest('a', 'b')
greatest(1, '2')
greatest(1, 'x')
least(null, 1)
least(date '2020-01-01', timestamp '2019-01-01')
coalesce(1, 1.5)
coalesce(date '2020-01-01', '2020-01-02')
coalesce(1::int2, 1::int8)
coalesce('a'::char(3), 'b'::text)
case 1 when 1.0 then 'a' end
case 'a' when 'a' then 1 end
case when true then null end
array[1, 2.5]
array[1, '2']
array['a', null]
array[null]
array[1, 'x']
array[true, 1]
1 in (1, 2.5)
1 = any('{1,2}')
1 = any(array[1.5])
'1' = any(array[1])
'a' = any('{a}')
1 = any(1)
1 < all(array[2, 3])
age(date '2020-01-01')  is null
age(timestamp '2020-01-01', '2019-01-01')
date_part('year', date '2020-01-01')
date_part('year', '2020-01-01')
extract(year from '2020-01-01')
extract(epoch from interval '1 day')
date_trunc('month', '2020-05-05')
date_trunc('month', date '2020-05-05')
date_trunc('month', timestamp '2020-05-05')
date_trunc('hour', interval '90 minutes')
to_char(1, '99')
to_char(1.5, '9.9')
to_char(date '2020-01-02', 'YYYY')
to_char(interval '1 day', 'DD')
make_date(2020, 1, '2')
encode('a', 'hex')
decode('61', 'hex')
to_number('1', '9')
to_date('2020', 'YYYY')
now() is null
clock_timestamp() is null
current_timestamp is null
pg_typeof(now())
pg_typeof('a' || 'b')
pg_typeof(null || 'b')
pg_typeof(1 || 'b')
pg_typeof(array[1] || 2)
pg_typeof(1 + null)
pg_typeof(null + null)
pg_typeof('1' + 1)
pg_typeof(1 / 2)
pg_typeof(2 ^ 2)
pg_typeof(2.0 ^ 2)
pg_typeof('2' ^ 2)
pg_typeof(date '2020-01-01' + 1)
pg_typeof(date '2020-01-01' - date '2020-01-01')
pg_typeof(date '2020-01-01' + time '01:00')
pg_typeof(date '2020-01-01' + interval '1h')
pg_typeof(coalesce(1, null))
pg_typeof(array[1, 2.5])
pg_typeof(case when true then 1 end)
pg_typeof(greatest('a', 'b'))
pg_typeof(nullif('a', 'b'))
pg_typeof(nullif(1, 1.0))
pg_typeof(nullif(1::int2, 1::int8))
pg_typeof(nullif(1::float4, 1.0))
pg_typeof(nullif(date '2020-01-01', timestamp '2020-01-01'))
pg_typeof(nullif('a'::varchar, 'a'))
pg_typeof(nullif('a'::char(2), 'a'))
pg_typeof(nullif('a'::char(2), 'a'::text))
pg_typeof(nullif('a'::name, 'a'::text))
nullif(1, 'x')
nullif(1, true)
nullif(json '1', json '1')
nullif(array[1], '{1}')
coalesce(nullif(trim(upper(lower(coalesce(nullif(trim(upper(lower(coalesce(nullif(trim('  a '), ''), 'x')))), ''), 'y')))), ''), 'z')
