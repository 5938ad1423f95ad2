# Makes frictionless-5.21.json: what frictionless finds in generated tables. Run with frictionless 5.21 as: python make_agreement.py OUT.json
import json, random, sys
from frictionless import Schema
from frictionless.resources import TableResource
import tempfile, os
target=os.path.abspath(sys.argv[1])
out=[]
def case(name, schema, text):
    d=tempfile.mkdtemp(); p=os.path.join(d,'t.csv'); open(p,'w',newline='').write(text)
    os.chdir(d)
    try:
        r=TableResource(path='t.csv', schema=Schema.from_descriptor(schema))
        rep=r.validate(limit_errors=1000)
    except Exception as e:
        print('skip',name,e); return
    errs=[]
    for t in rep.tasks:
        for e in t.errors:
            errs.append([getattr(e,'row_number',None) or 0, e.type])
    for e in rep.errors: errs.append([0,e.type])
    out.append({'name':name,'schema':schema,'text':text,'errors':sorted(errs)})
def col(type, cells, **kw):
    cons=kw.pop('constraints',None)
    f={'name':'v','type':type}; f.update(kw)
    if cons: f['constraints']=cons
    text='k,v\n'+''.join(f'{i},{c}\n' for i,c in enumerate(cells))
    case(type+' '+json.dumps(kw)+json.dumps(cons or {}), {'fields':[{'name':'k','type':'integer'},f]}, text)
ints=['0','-1','+1',' 3','3 ','007','1.0','1e3','"1,000"','x','','9223372036854775807','99999999999999999999','--1','1_000','٣']
col('integer',ints); col('integer',['$5','5%','5'],bareNumber=False)
nums=['1','-1.5','1e3','NaN','INF','-INF','nan','inf','1.','.5','x','','1,5','0x1','1e','+2',' 3','"1 000"']
col('number',[n if ',' not in n or n[0]=='"' else f'"{n}"' for n in nums]); col('number',['"1.234,5"','"1,5"','x'],decimalChar=',',groupChar='.'); col('number',['$5','5%','x'],bareNumber=False)
col('boolean',['true','True','TRUE','1','false','False','FALSE','0','yes','tRue','']); col('boolean',['j','n','true'],trueValues=['j'],falseValues=['n'])
col('date',['2024-02-29','2023-02-29','2024-13-01','2024-1-1','20240101','01.02.2024','','2024-01-01T00:00:00']); col('date',['29.02.2024','2024-02-29'],format='%d.%m.%Y')
col('datetime',['2024-01-01T10:00:00','2024-01-01T10:00:00Z','2024-01-01 10:00:00','2024-01-01','2024-02-30T10:00:00','2024-01-01T10:00:00+02:00','x'])
col('time',['10:00:00','10:00','24:00:00','10:00:00Z','x']); col('year',['2024','20x4','-1','99999']); col('yearmonth',['2024-12','2024-13','2024'])
col('string',['a','👍','','abcd'],constraints={'maxLength':1}); col('string',['a','abc',''],constraints={'minLength':2}); col('string',['ab','cd','x'],constraints={'pattern':'ab'}); col('string',['ab','abx','cd','xcd'],constraints={'pattern':'ab|cd'})
col('string',['a','b','c',''],constraints={'enum':['a','b']}); col('integer',['1','02','3'],constraints={'enum':['1','2']})
col('integer',['1','5','9',''],constraints={'minimum':2,'maximum':8}); col('number',['0.1','0.5','NaN'],constraints={'minimum':0.2}); col('date',['2020-01-01','2021-01-01'],constraints={'minimum':'2020-06-01'})
col('string',['a','','b'],constraints={'required':True}); col('integer',['1','01','2','','','2'],constraints={'unique':True}); col('string',['a','a',''],constraints={'unique':True})
col('string',['a@b.example','a'],format='email'); col('string',['6aeafdc1-ed62-4c8f-bf0a-da1061c98cdb','x'],format='uuid')
col('object',['"{""a"":1}"','"[1]"','{','x']); col('array',['"[1]"','"{""a"":1}"','x']); col('geopoint',['"10,20"','"200,0"','x']); col('any',['','x'])
col('date',['1.2.2024','01.02.2024',' 1.2.2024','30.2.2024','1.2.24'],format='%d.%m.%Y'); col('time',['10:00:00','1:2:3','10:00:00.123','24:00:00','10:00:60'],format='%H:%M:%S'); col('time',['10:00:00.1','10:00:00.123456','10:00:00.1234567','10:00:00'],format='%H:%M:%S.%f')
col('datetime',['2024-01-01T10:00:00Z','2024-01-01T10:00:00+01:00','2024-01-01T10:00:00+0100','2024-01-01T10:00:00','2024-01-01T10:00:00z'],format='%Y-%m-%dT%H:%M:%S%z'); col('datetime',['1/2/24 1:30 pm','1/2/69 12:30 AM','1/2/24 13:30 PM','1/2/2024 1:30 PM'],format='%d/%m/%y %I:%M %p'); col('date',['1 feb 2024','1 February 2024'],format='%d %b %Y')
col('year',['2024','0024','24','024','99999','-0044','-44'],title='more'); col('string',['http://a.b/c?d#e','urn:a:b','http://a.b/c d','http://a.b/<x>','http://a.b/%zz','x','http://[::1]/'],format='uri')
col('geopoint',['"[10,20]"','"[10,20,30]"','"10,20"','"[200,0]"'],format='array'); col('geopoint',['"{""lon"":10,""lat"":20}"','"{""lon"":10}"','"[10,20]"'],format='object'); col('list',['1;2','1','1;x','1,2',''],itemType='integer',delimiter=';'); col('list',['"a,b"','a'])
col('geojson',['"{""type"":""Topology"",""objects"":{},""arcs"":[]}"','"{""type"":""Dot""}"','x'],format='topojson')
col('datetime',['9999-12-31T23:59:59','1500-01-01T00:00:00','2024-01-01T00:00:00'],constraints={'minimum':'2000-01-01T00:00:00','maximum':'9999-12-31T23:59:58'}); col('datetime',['9999-12-31T23:59:59','0001-01-01T00:00:00'],constraints={'enum':['9999-12-31T23:59:59']})
S={'fields':[{'name':'a','type':'integer'},{'name':'b','type':'string'}]}
for n,t in {'plain':'a,b\n1,x\n','blank':'a,b\n1,x\n\n2,y\n','blank cells':'a,b\n1,x\n,\n2,y\n','extra':'a,b\n1,x,3\n','two extra':'a,b\n1,x,3,4\n','missing':'a,b\n1\n2,y\n','header only':'a,b\n','crlf':'a,b\r\n1,x\r\n','bom':'\ufeffa,b\n1,x\n','quoted':'a,b\n1,"x\ny"\n"2","a""b"\n','incorrect':'a,c\n1,x\n','fewer':'a\n1\n','more':'a,b,c\n1,x,2\n','swapped':'b,a\nx,1\n','no last':'a,b\n1,x'}.items(): case('shape '+n,S,t)
case('pk',dict(S,primaryKey=['a']),'a,b\n1,x\n1,y\n,z\n2,w\n'); case('pk two',dict(S,primaryKey=['a','b']),'a,b\n1,x\n1,y\n1,x\n')
case('fk self',{'fields':[{'name':'a','type':'integer'},{'name':'b','type':'integer'}],'foreignKeys':[{'fields':['b'],'reference':{'resource':'','fields':['a']}}]},'a,b\n1,1\n2,3\n3,\n')
case('missing values',dict(S,missingValues=['','NA']),'a,b\nNA,x\n1,NA\nN/A,y\n')
for m,t in {'subset':'a,b,c\n1,x,2\n','equal':'b,a\nx,1\n'}.items(): case('match '+m,dict(S,fieldsMatch=m) ,t)
random.seed(5)
for i in range(120):
    cells=[random.choice(['1','2',' 2','x','','1.5','2020-01-01','true','"q,q"','NaN','-0','0','abc','9999999999']) for _ in range(20)]
    ty=random.choice(['integer','number','boolean','date','string'])
    cons=random.choice([{}, {'required':True},{'unique':True}, {'minimum':1} if ty in('integer','number') else {}, {'enum':['1','x','true']} if ty=='string' else {}])
    f={'name':'v','type':ty}
    if cons: f['constraints']=cons
    case(f'random {i}',{'fields':[{'name':'k','type':'integer'},f]},'k,v\n'+''.join(f'{j},{c}\n' for j,c in enumerate(cells)))
open(target,'w').write('[\n'+',\n'.join(json.dumps(c,ensure_ascii=False) for c in out)+'\n]\n')
