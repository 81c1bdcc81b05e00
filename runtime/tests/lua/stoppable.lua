-- What functions of `string` and `table` answer to arguments of all kinds, as one text: equal in VMs with
-- Lua's own functions and with those that can be stopped. SEED and COUNT are set by the test.
math.randomseed(SEED)
local function pick(t) return t[math.random(#t)] end
local atoms = {"a","b",".","%a","%d","%s","%w","%p","%u","%x","[ab]","[^a]","[a-c%d]","[]a]","[^]]","%%","%f[%w]","%f[^a]","%bab","%1","()","(a)","(b*)","(.-)","(%a+)","^","$","-","[%]]","[a-]","%z","(","["," )","%", "\0"}
local suffix = {"","","","*","+","-","?"}
local letters = {"a","b","c","1"," ","A","%","]","-","^","\0","é"}
local function pattern()
  local p = math.random(6)==1 and "^" or ""
  for _=1,math.random(1,6) do p = p..pick(atoms)..pick(suffix) end
  if math.random(6)==1 then p=p.."$" end
  return p
end
local function subject() local s="" for _=1,math.random(0,14) do s=s..pick(letters) end return s end
local function show(...)
  local t = table.pack(...)
  for i=1,t.n do t[i] = (type(t[i])=="string" and ("%q"):format(t[i]) or tostring(t[i])):gsub("\n","n") end
  local out = "" for i=1,t.n do out = out..t[i].."," end
  return out
end
local lines = {}
local function emit(s) lines[#lines + 1] = s end
for i=1,COUNT do
  local s,p = subject(), pattern()
  local init = math.random(4)==1 and math.random(-5,16) or nil
  local tag = show(s,p,init).." => "
  emit(tag.."find "..show(pcall(string.find,s,p,init)))
  emit(tag.."plain "..show(pcall(string.find,s,p,init,true)))
  emit(tag.."match "..show(pcall(string.match,s,p,init)))
  emit(tag.."gsub "..show(pcall(string.gsub,s,p,pick{"x","%0","[%1]","%2","%%","%",7},math.random(3)==1 and math.random(0,3) or nil)))
  emit(tag.."gsubf "..show(pcall(string.gsub,s,p,pick{function(...) return select("#",...)>1 and "<"..select("#",...)..">" end, {a="Q",b=1,ab=false}, function() return {} end})))
  local ok,err = pcall(function() local n=0 for a,b,c in string.gmatch(s,p,init) do emit(tag.."gm "..show(a,b,c)) n=n+1 if n>30 then break end end end)
  emit(tag.."gm "..tostring(ok)..tostring(err))
end
-- tables
for i=1,COUNT//4 do
  local t = {} for k=1,math.random(0,12) do t[k]=math.random(9) end
  local function dump() return show(table.unpack(t)) end
  emit("ins "..show(pcall(table.insert,t,math.random(-2,#t+3),5))..dump())
  emit("insE "..show(pcall(table.insert,t,5)==true)..dump())
  emit("rem "..show(pcall(table.remove,t,math.random(4)>1 and math.random(-2,#t+3) or nil))..dump())
  emit("mov "..show(select("#",pcall(table.move,t,math.random(-2,5),math.random(-2,8),math.random(-2,8))))..dump())
  emit("cat "..show(pcall(table.concat,t,pick{",","",nil},math.random(3)==1 and math.random(-1,4) or nil)))
  local ok = pcall(table.sort,t, pick{nil, function(a,b) return a>b end})
  emit("sort "..tostring(ok)..(ok and dump() or ""))
end
emit(show(pcall(table.concat,{1,{},3})))
emit(show(pcall(table.insert,{},1,2,3)))
emit(show(pcall(table.insert,nil,1)))
emit(show(pcall(string.gsub,"x","x",true)))
emit(show(pcall(string.gsub,"x","x")))
emit(show(pcall(string.find,nil,"x")))
emit(show(pcall(string.rep("(a",1,""),"a")))
emit(show(pcall(string.match,"aaa",("(a)"):rep(33))))
emit(show(pcall(string.match,("a"):rep(300),("a?"):rep(300)..("a"):rep(300))))
emit(show(pcall(string.match,("x"):rep(250),("(x"):rep(31)..(")"):rep(31))))
return table.concat(lines, "\n")
